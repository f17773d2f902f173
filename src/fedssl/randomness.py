"""Random streams: each is named and seeded, and independent of all others.

No code of this project reads a global random generator.
"""

import zlib

import numpy as np


def stream(seed: int, purpose: str, *, round: int = 0, client: int = 0) -> np.random.Generator:
    """Return the random generator of one stream.

    The same (seed, purpose, round, client) gives the same numbers on every machine and in any
    order of execution. A round can therefore be repeated, resumed or distributed over processes
    and gives the same result.
    """
    # Do not reword an existing `purpose`: its text is part of the seed, so another text changes
    # every number drawn from the stream. CRC-32 is used because hash() differs between runs.
    entropy = [seed, zlib.crc32(purpose.encode()), round, client]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def torch_seed(seed: int, purpose: str, *, round: int = 0, client: int = 0) -> int:
    """Return a seed for a torch generator, drawn from the stream with the same arguments."""
    return int(stream(seed, purpose, round=round, client=client).integers(2**63))
