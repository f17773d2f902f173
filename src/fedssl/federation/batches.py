"""One epoch's batches of a client that may hold two modalities (fssuavl section 3.1)."""

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest

import numpy as np

MIN_BATCH = 2
Batch = tuple[str, np.ndarray]


def epoch_batches(
    samples: Mapping[str, np.ndarray], *, batch_size: int, order: str, rng: np.random.Generator
) -> Iterator[Batch]:
    """Yield (modality, positions) of one epoch's shuffled batches in the given order.

    A batch holds one modality only, so negatives are of the same modality. A last batch of a
    single sample has no negatives and is skipped.

    paper: "sequentially in a batch-wise manner"; here, by default, `alternate`: image, audio,
    image, audio, then the remaining batches. `image-first` and `audio-first` yield one modality
    after the other; `shuffle` yields all batches in random order.
    """
    # Shuffle in this order always, so that the settings differ only in the order of batches.
    queues = {m: _shuffled(m, samples[m], batch_size, rng=rng) for m in sorted(samples)[::-1]}
    if order == "shuffle":
        batches = list(chain.from_iterable(queues.values()))
        yield from (batches[place] for place in rng.permutation(len(batches)))
    elif order == "alternate":
        turns = zip_longest(queues.get("image", []), queues.get("audio", []))
        yield from (batch for turn in turns for batch in turn if batch is not None)
    else:
        first = order.removesuffix("-first")
        yield from chain.from_iterable(queues[m] for m in sorted(queues, key=first.__ne__))


def _shuffled(
    modality: str, positions: np.ndarray, batch_size: int, *, rng: np.random.Generator
) -> list[Batch]:
    order = rng.permutation(positions)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [(modality, batch) for batch in batches if len(batch) >= MIN_BATCH]
