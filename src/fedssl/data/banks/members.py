"""What a reader yields for each archive member."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Sample:
    """A decoded member.

    Attributes:
        name: member path inside the archive, or a position in it.
        label: class name.
        split: split the archive puts it in.
        data: image (H, W, C) uint8 with C 1 or 3, or mono 16 kHz waveform (samples,) int16.
    """

    name: str
    label: str
    split: str
    data: np.ndarray


@dataclass(frozen=True, eq=False)
class Encoded:
    """A member that is still to be read and decoded, so that it can be passed over at no cost.

    Attributes:
        name: as of a Sample.
        read: returns what `decode` takes; call it before asking the reader for the next member.
        decode: returns a Sample's data; may run in any thread. Both may raise UnreadableError.
        label: class name.
        split: split the archive puts it in.
    """

    name: str
    read: Callable[[], Any]
    decode: Callable[[Any], np.ndarray]
    label: str = field(kw_only=True)
    split: str = field(kw_only=True)


@dataclass(frozen=True)
class BadMember:
    """A member that cannot be decoded; label and split where the archive still says them."""

    name: str
    label: str | None
    split: str | None
    reason: str


@dataclass(frozen=True)
class AbsentMember:
    """A labelled member that the user's copy lacks, as a clip that is no longer published."""

    name: str
    label: str
    split: str


Decoded = Sample | BadMember | AbsentMember
Member = Encoded | Decoded


class UnreadableError(Exception):
    """A member cannot be decoded; the message says why."""
