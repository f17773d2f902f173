"""Every random stream of the project: named, seeded, and independent of all others."""

import zlib

import numpy as np


def stream(seed: int, purpose: str, *, round: int = 0, client: int = 0) -> np.random.Generator:
    """Return the generator of one stream.

    The same (seed, purpose, round, client) gives the same numbers on every machine and in every
    order of work, so a round can be repeated, resumed or spread over processes without a change.
    """
    entropy = [seed, zlib.crc32(purpose.encode()), round, client]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def torch_seed(seed: int, purpose: str, *, round: int = 0, client: int = 0) -> int:
    """Return a seed for a torch generator, drawn from the stream of the same name."""
    return int(stream(seed, purpose, round=round, client=client).integers(2**63))
