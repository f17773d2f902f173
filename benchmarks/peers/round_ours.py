"""Rounds of this project."""

import itertools
from dataclasses import replace

import torch
from benchmarks.peers.federation import CPU, Turns, folder_of_work, read

from fedssl.federation import rounds


def main() -> None:
    """Run a round in each turn; say how long its steps took by the history of the round."""
    turns = Turns()
    torch.set_num_threads(1)
    work, inputs = read(folder_of_work())
    federation, server = rounds.set_up(work.settings(), inputs, device=CPU)
    federation = replace(federation, holdings=[{"image": held} for held in work.holdings()])
    numbers = itertools.count(1)

    def run_round() -> dict[str, float]:
        nonlocal server
        server, rows = rounds.run_round(running, server, next(numbers))
        return {"steps": sum(row["seconds"] for row in rows)}

    with rounds.side_by_side(federation, work.workers, inputs, device=CPU) as running:
        turns.take(run_round)


if __name__ == "__main__":
    main()
