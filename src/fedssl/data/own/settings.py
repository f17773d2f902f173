"""Declare the settings of a user's own files."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from fedssl.settings import AtLeastTwo, InnerShare, Modality, Pixels, Share, SoundType, Text


@dataclass(frozen=True)
class OwnDataset:
    """A user's own files. Keys that are absent have the defaults named here."""

    modality: Modality
    """Type of the samples: images (JPEG, PNG, TIFF, WebP, BMP) or audio (WAV, FLAC, Ogg, Opus, MP3,
    AIFF, AU, CAF, W64 of any rate)."""

    folder: Text | None = None
    """Folder with files in `<folder>/<class>/...`, at any depth, or in `<folder>/train/<class>/...`
    with `test/` or `validation/` next to it. Relative to the working directory."""

    table: Text | None = None
    """CSV file instead of a folder, with the columns `path`, `label` and `split`. One split must be
    `train`. Paths are relative to the folder of the CSV file, which itself is relative to the
    working directory."""

    test_share: InnerShare | None = None
    """Share of each class that becomes the test split of a folder without split folders; 0.2 if
    absent. It is drawn by file name, so it is the same in every run and new files hardly change
    it."""

    size: Pixels | None = None
    """Width and height in pixels of the square cut from the middle of each image; 128 if absent. A
    JPEG that is more than 8 times as large is reduced while it is decoded."""

    bits: Annotated[int | None, Ge(8), Le(16)] = None
    """Bits per pixel that 16-bit images use, such as 12 for many cameras and scanners. If absent,
    all 16 are expected, and an image whose pixels stay below a quarter of them is unreadable."""

    max_megapixels: Annotated[float, Gt(0.0), Le(100_000.0)] | None = None
    """Largest image in millions of pixels; 100 if absent, so a photograph of 48 million
    pixels is read. A decoding thread takes up to 12 bytes of memory per pixel."""

    max_minutes: Annotated[float, Gt(0.0), Le(100_000.0)] | None = None
    """Longest recording in minutes, whatever its rate and channels; 60 if absent. The decoded sound
    takes 2 MB of memory per minute (4 MB as float32), next to its file."""

    dtype: SoundType | None = None
    """How the bank stores sound; `int16` if absent. `float32` keeps recordings of 24 bits or float
    that are quiet (below -60 dBFS) or beyond full scale as they are. It takes twice the space,
    64 KB per second."""

    max_megabytes: Annotated[float, Gt(0.0), Le(10_000_000.0)] | None = None
    """Largest file in millions of bytes; 700 if absent, an hour of stereo at 48 kHz. A file is held
    in memory while it is decoded."""

    title: Text | None = None
    """Name to print; the name of the dataset if absent."""

    classes: AtLeastTwo | None = None
    """Number of classes, verified when the bank is built; counted if absent."""

    licence: Text | None = None
    """Licence or terms of use; `not stated` if absent."""

    citation: Text | None = None
    """Publication to cite; `none` if absent."""

    max_bad_share: Share | None = None
    """Largest accepted share of files that are unreadable or of another kind; 0.01 if absent.
    `bank.json` lists them."""

    notes: str | None = ""
    """Further information for users."""
