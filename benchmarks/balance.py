"""How long the processes of a round wait for its last client: `python benchmarks/balance.py`.

Simulated with the papers' shards (Dirichlet of alpha 0.1, 100 clients, 10 in a round), where a
client takes as long as it has samples: 100 rounds of each of three seeds. First in the clients'
order, with one more client submitted than there are processes, and each result taken in its turn;
then with the clients of most samples first, as `WorkerPool` submits them; and last what no order
can avoid, because the largest client or the largest share of clients takes that long.
"""

import heapq
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np

from fedssl.data.sharding import client_modalities, dirichlet_shards
from fedssl.grid.splits import parse_split
from fedssl.randomness import stream

CLIENTS, PER_ROUND, ALPHA, ROUNDS, SEEDS = 100, 10, 0.1, 100, 3
# Labels of Tiny ImageNet, and of as many classes and clips as VGGSound has.
LABELS = {
    "image": np.repeat(np.arange(200), 500),
    "audio": np.repeat(np.arange(309), 590),
}
Schedule = Callable[[Sequence[int], int], float]


def in_order(samples: Sequence[int], processes: int) -> float:
    """Return the time of a round in the clients' order, at most one client ahead."""
    free, ends, now = [0.0] * processes, [0.0] * len(samples), 0.0
    for place, own in enumerate(samples):
        ends[place] = max(heapq.heappop(free), now) + own
        heapq.heappush(free, ends[place])
        if place >= processes:
            now = max(now, ends[place - processes])
    return max(ends)


def longest_first(samples: Sequence[int], processes: int) -> float:
    """Return the time of a round in which each free process takes the largest client left."""
    free = [0.0] * processes
    for own in sorted(samples, reverse=True):
        heapq.heapreplace(free, free[0] + own)
    return max(free)


def least(samples: Sequence[int], processes: int) -> float:
    """Return a time that no order is faster than."""
    largest = sorted(samples, reverse=True)
    # Of the first p + 1 clients, two share a process; of the first 2p + 1, three; and so on.
    shared = [
        sum(largest[count * processes - count : count * processes + 1])
        for count in range(1, (len(samples) - 1) // processes + 1)
    ]
    return max(largest[0], sum(largest) / processes, *shared)


def sizes(split: str, seed: int) -> list[int]:
    """Return the samples of each client."""
    held = client_modalities(parse_split(split), CLIENTS, seed=seed)
    shards = {m: dirichlet_shards(labels, CLIENTS, ALPHA, seed) for m, labels in LABELS.items()}
    return [sum(len(shards[m][client]) for m in held[client]) for client in range(CLIENTS)]


def main() -> None:
    """Print the share of their time that processes are idle."""
    schedules: dict[str, Schedule] = {
        "in order": in_order,
        "longest first": longest_first,
        "at least": least,
    }
    print("split         processes" + "".join(f"{name:>15s}" for name in schedules))
    for split in ("a0-i100-b0", "a0-i0-b100", "a33-i33-b34"):
        drawn = [
            [own[client] for client in sorted(rng.choice(CLIENTS, PER_ROUND, replace=False))]
            for seed in range(SEEDS)
            for own, rng in [(sizes(split, seed), stream(seed, "benchmark"))]
            for _ in range(ROUNDS)
        ]
        work = sum(map(sum, drawn))
        for processes in (2, 4, 8):
            taken = [sum(schedule(r, processes) for r in drawn) for schedule in schedules.values()]
            idle = [1 - work / (processes * time) for time in taken]
            print(f"{split:13s} {processes:9d}" + "".join(f"{share:15.1%}" for share in idle))


if __name__ == "__main__":
    main()
