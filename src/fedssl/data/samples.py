"""The types that a reader yields for the members of an archive."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

CANCELLED = "its channels cancel each other: averaged, they are 20 dB quieter or more"
"""A note that bank.json counts also among the facts of its sound."""

RawWaveform = tuple[np.ndarray, int]
"""Part of a recording, (samples, channels) float32, and its sample rate in Hz."""

Content = bytes | RawWaveform
"""A member before it is decoded; the bytes are those of a file."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A decoded member.

    Attributes:
        name: path of the member in the archive, or another unique name.
        label: class name.
        split: split of the dataset that the member belongs to.
        data: image, (H, W, C) uint8 with C 1 or 3; or mono 16 kHz waveform, (samples,) int16, or
            float32 in [-1, 1].
        notes: what a user should know about this member.
    """

    name: str
    label: str
    split: str
    data: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Noted:
    """The data of a sample, and what a user should know about it.

    Attributes:
        data: the data, as in `Sample`.
        notes: sentences without the name of the member. bank.json counts them by their text.
    """

    data: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Encoded:
    """A member that has not been read or decoded yet.

    Attributes:
        name: name of the member, as in `Sample`.
        read: returns the argument of `decode`. Call it before asking the reader for the next
            member. May raise UnreadableError.
        decode: returns the data of the sample. It may run in another process, so pickle must be
            able to pass it on. Those of sound have the option `dtype`, "int16" or "float32". May
            raise UnreadableError.
        label: class name.
        split: split of the dataset that the member belongs to.
    """

    # Reading is deferred so that a resumed build can skip members without reading them.

    name: str
    read: Callable[[], Content]
    decode: Callable[..., np.ndarray | Noted]
    label: str = field(kw_only=True)
    split: str = field(kw_only=True)


@dataclass(frozen=True)
class BadMember:
    """A member that cannot be decoded; label and split are None if they are unknown."""

    name: str
    label: str | None
    split: str | None
    reason: str


@dataclass(frozen=True)
class AbsentMember:
    """A labelled member that the user does not have, such as a clip that was taken offline."""

    name: str
    label: str
    split: str


Decoded = Sample | BadMember | AbsentMember
Member = Encoded | Decoded


class UnreadableError(Exception):
    """A member cannot be decoded; the message is the reason that bank.json records."""


def as_float(waveform: np.ndarray) -> np.ndarray:
    """Return an int16 waveform as float32 in [-1, 1], which is exact."""
    return waveform.astype(np.float32) / np.float32(32_768)
