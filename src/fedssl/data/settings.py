"""Settings of data: every dataset, the banks made of them, and clips fetched one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen

from fedssl.settings import (
    Absent,
    Address,
    AtLeastTwo,
    Choice,
    Count,
    InnerShare,
    Key,
    Modality,
    Natural,
    NonNegative,
    Pattern,
    Positive,
    Share,
    Text,
    Unique,
)

_HAS_ARCHIVES = Absent("this dataset has archives; give your own files another name")
_HEX = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"
SplitName = Annotated[str, Pattern(r"^[a-z]+$", "lower-case letters")]
CountedName = Annotated[str, Pattern(r"^[a-z]+$", "`classes` or the name of a split")]
ArchiveKey = Annotated[str, Pattern(r"^[a-z][a-z0-9_]*$", "lower-case letters, digits and _")]


@dataclass(frozen=True)
class Banks:
    """How banks are made."""

    threads: Count
    """Threads that decode an archive; a bank has the same bytes for any number."""


@dataclass(frozen=True)
class ClipRequests:
    """How clips are requested from a site."""

    url: Annotated[
        str, Pattern(r"^https?://.*\{id\}", "an http or https address with {id} where the id goes")
    ]
    """Address of a clip, with `{id}` in place of its id."""

    workers: Annotated[int, Ge(1), Le(32)]
    """Clips fetched at a time."""

    pause_seconds: NonNegative
    """Seconds between the starts of two requests; after a failure all workers wait four times as
    long, and again."""

    tries: Count
    """Requests for a clip that fails for a reason that may pass (network, server, refused)."""

    timeout_seconds: Positive
    """Seconds for one clip."""

    rate_limit: Count | None
    """Bytes a second of each worker; null for no limit."""


@dataclass(frozen=True)
class Downloads(ClipRequests):
    """Datasets whose members are fetched one by one, and how."""

    datasets: Annotated[tuple[Literal["vggsound"], ...], Unique()]
    """Datasets whose clips are fetched with yt-dlp; none if empty. Clips are fetched only for the
    datasets named here. By naming one you take responsibility for following the site's terms."""


@dataclass(frozen=True)
class Archive:
    """A file that holds data."""

    file: Annotated[
        str, Pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "a file name of letters, digits, . _ and -")
    ]
    """File name, the same in the data folder and in the mirror."""

    urls: tuple[Address, ...]
    """Official addresses, tried in order after the mirror; empty if there is none."""

    size: Count | None
    """Size in bytes; null if it is not known."""

    checksum: Annotated[str, Pattern(_HEX, "md5:<hex> or sha256:<hex> of the file, or null")] | None
    """`md5:<hex>` or `sha256:<hex>`. A file is accepted only with this checksum, fetched or put
    there by hand. null is pinned on first use, see `pins`."""


@dataclass(frozen=True)
class SharedArchive:
    """An archive that another dataset declares."""

    owner: Annotated[Text, Key("from")]
    """Dataset that has this archive under the same key."""


@dataclass(frozen=True)
class Published:
    """What table 1 of FSSUAVL says of a dataset."""

    symbol: Text
    """The paper's name of the dataset."""

    numbers: Mapping[CountedName, Count]
    """`classes` or a split -> the paper's number; the paper's #Val stands at the split that is
    scored."""

    differences: str | None
    """Why the numbers here differ from the paper's; null if they do not."""


@dataclass(frozen=True)
class Dataset:
    """A dataset with archives. Its name is that of its mirror folder, its bank and its reader."""

    title: Text
    """Name to print."""

    modality: Modality
    """What a sample is."""

    classes: AtLeastTwo
    """Number of classes; asserted when the bank is made."""

    splits: Annotated[Mapping[SplitName, Count | None], MinLen(1)]
    """Split -> number of labelled members, unreadable and absent ones included; asserted when the
    bank is made. null if it is not known: then it is counted only."""

    archives: Annotated[
        Mapping[
            ArchiveKey,
            Annotated[Archive | SharedArchive, Choice(lambda entry: int("from" in entry))],
        ],
        MinLen(1),
    ]
    """Archive key, which the reader asks for, -> archive, or `from`: the dataset whose archive of
    this key is read."""

    licence: Text
    """Licence or terms of use."""

    citation: Text
    """Whom to cite."""

    access: str | None
    """How to get archives that no address serves; null if the addresses do. Printed by the job that
    fails, with the run's own folders for `<data_dir>` and `<results_dir>`."""

    max_bad_share: Share
    """Largest share of unreadable members among those that are there; they are listed in
    `bank.json`, as are absent ones, which do not count here."""

    notes: str | None
    """What a user should know."""

    unverified: Annotated[tuple[CountedName, ...] | None, Unique()] = None
    """`classes` and splits whose declared numbers nobody has counted on the archives yet; a
    mismatch says so."""

    published: Published | None = None
    """What table 1 of FSSUAVL says."""

    synthetic: bool | None = None
    """Whether the workflow makes the archives up instead of acquiring them (demo only); false if
    absent."""

    folder: Annotated[str | None, _HAS_ARCHIVES] = None
    """For your own files only."""

    table: Annotated[str | None, _HAS_ARCHIVES] = None
    """For your own files only."""


@dataclass(frozen=True)
class OwnDataset:
    """A user's own files; what is not given is found or has the default that is named here."""

    modality: Modality
    """What a sample is: JPEG and PNG; WAV, FLAC, Ogg, Opus and MP3 of any rate."""

    folder: Text | None = None
    """`<folder>/<class>/...`, at any depth; or `<folder>/train/<class>/...` with `test/`
    (`validation/`) next to it. From the working directory."""

    table: Text | None = None
    """Instead of a folder, a csv with the columns `path`, `label`, `split`, one split being
    `train`; relative paths start at the csv's folder. From the working directory."""

    test_share: InnerShare | None = None
    """Share of each class that becomes the test split of a folder without split folders; 0.2 if
    absent. Drawn from the files' names: the same in every run, and hardly changed by new files."""

    size: Annotated[int | None, Ge(8)] = None
    """Pixels a side of the square that is cut from the middle of each image; 128 if absent."""

    title: Text | None = None
    """Name to print; the dataset's name if absent."""

    classes: AtLeastTwo | None = None
    """Number of classes, asserted when the bank is made; counted if absent."""

    licence: Text | None = None
    """Licence or terms of use; `not stated` if absent."""

    citation: Text | None = None
    """Whom to cite; `none` if absent."""

    max_bad_share: Share | None = None
    """Largest share of files that may be unreadable or of another kind, which `bank.json` lists;
    0.01 if absent."""

    notes: str | None = ""
    """What a user should know."""


@dataclass(frozen=True)
class ShardSettings:
    """What the shards of a bank depend on, in addition to the bank and the seed."""

    alpha: Positive
    clients: Count
    min_samples: Natural


def kind_of_entry(entry: Any) -> int:
    """Return 1 for a user's own files, and 0 for a dataset with archives."""
    own = isinstance(entry, Mapping) and ("folder" in entry or "table" in entry)
    return int(own and "archives" not in entry)


AnyDataset = Annotated[Dataset | OwnDataset, Choice(kind_of_entry)]
