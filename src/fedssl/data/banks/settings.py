"""Settings of the jobs that build banks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fedssl.settings import Modality, SoundType

# Largest image and longest sound. A file of a few bytes can claim, or unpack to, more than fits
# into memory.
MAX_MEGAPIXELS = 100.0
MAX_MINUTES = 60.0


@dataclass(frozen=True)
class OwnFiles:
    """How a user's own files are found and read.

    Attributes:
        kind: whether a folder or a CSV file gives the files.
        modality: "image" or "audio".
        test_share: share of each class that becomes the split `test`; for folders only.
        size: width and height of the bank's images in pixels; for images only.
        bits: bits per pixel that 16-bit images use; None for 16, see `readers.pixels`. Images only.
        max_megapixels: largest image in millions of pixels; for images only.
        max_minutes: longest sound; for audio only.
        max_megabytes: largest file in millions of bytes.
    """

    kind: Literal["folder", "table"]
    modality: Modality
    test_share: float = 0.0
    size: int = 0
    bits: int | None = None
    max_megapixels: float = MAX_MEGAPIXELS
    max_minutes: float = MAX_MINUTES
    max_megabytes: float = 700.0


@dataclass(frozen=True)
class BankContents:
    """What a bank must hold, as declared in the datasets file.

    Attributes:
        classes: number of classes; None accepts any number.
        splits: split -> number of members, including unreadable and absent ones. None accepts any
            number.
        max_bad_share: largest accepted share of unreadable members, 0 to 1. Absent members do not
            count.
        unverified: declared counts that nobody has verified yet: "classes" or names of splits.
        own: how to read a user's own files; None for a dataset with archives.
        dtype: type of the samples of sound.
    """

    classes: int | None
    splits: Mapping[str, int | None]
    max_bad_share: float
    unverified: tuple[str, ...] = ()
    own: OwnFiles | None = None
    dtype: SoundType = "int16"
