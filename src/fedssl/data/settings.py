"""Declare the settings of datasets, banks, shards and clip downloads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen

from fedssl.data.own.settings import OwnDataset
from fedssl.settings import (
    Absent,
    Address,
    AtLeastTwo,
    Choice,
    Count,
    Key,
    Modality,
    Natural,
    Pattern,
    Positive,
    Share,
    SoundType,
    Text,
    Threads,
    Unique,
)

_HAS_ARCHIVES = Absent("this dataset has archives; give your own files another name")
_HEX = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"
SplitName = Annotated[str, Pattern(r"^[a-z]+$", "lower-case letters")]
CountedName = Annotated[str, Pattern(r"^[a-z]+$", "`classes` or the name of a split")]
ArchiveKey = Annotated[str, Pattern(r"^[a-z][a-z0-9_]*$", "lower-case letters, digits and _")]


@dataclass(frozen=True)
class Banks:
    """How banks are built and read. Changing how they are read reruns nothing."""

    threads: Threads
    """Number of processes that decode an archive. The bank has the same bytes for any number."""

    read_from: Literal["auto", "disk", "memory", "device"]
    """Where jobs read the samples of a bank from; all places give the same bits. `auto` is memory
    if the bank takes at most half of what is free for the job, else disk. `device` is the GPU's
    memory if the bank takes at most half of what is free there, else `auto`. Clients that train in
    parallel read from disk under `auto`, because each would have a copy."""

    staging: Text | None
    """Folder on a disk of the node to which the first job copies the samples of a bank, and from
    which all jobs of the node read them; null copies nothing. `~` and `$VARIABLE` are expanded on
    the node, but jobs do not see Slurm's own variables. A copy is verified with the hashes in
    `bank.json` while it is made. If there is no room for it, jobs read the bank where it is."""


@dataclass(frozen=True)
class ClipRequests:
    """How clips are requested from a site."""

    url: Annotated[
        str,
        Pattern(
            r"^https?://[^{}]*\{id\}[^{}]*$", "an http or https address with one {id}, for the id"
        ),
    ]
    """Address of a clip, with `{id}` in place of its id."""

    workers: Annotated[int, Ge(1), Le(32)]
    """Number of clips fetched in parallel."""

    pause_seconds: Annotated[float, Ge(0.0), Le(3600.0)]
    """Seconds between the starts of two requests. After each failure of a clip, all workers wait
    four times as long."""

    tries: Annotated[int, Ge(1), Le(1000)]
    """Number of requests for a clip that fails for a temporary reason, such as the network."""

    timeout_seconds: Annotated[float, Gt(0.0), Le(86_400.0)]
    """Time limit for one clip in seconds."""

    rate_limit: Count | None
    """Largest download rate of each worker in bytes per second; null for no limit."""


@dataclass(frozen=True)
class Downloads(ClipRequests):
    """Datasets whose members are fetched one by one, and how."""

    datasets: Annotated[tuple[Literal["vggsound"], ...], Unique()]
    """Datasets whose clips are fetched with yt-dlp; none if empty. Clips are fetched only for the
    datasets named here. By naming one you take responsibility for following the site's terms."""


@dataclass(frozen=True)
class Archive:
    """An archive of a dataset."""

    file: Annotated[
        str, Pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "a file name of letters, digits, . _ and -")
    ]
    """File name, the same in the data folder and in the mirror."""

    urls: tuple[Address, ...]
    """Official addresses, tried in order after the mirror; empty if there are none."""

    size: Count | None
    """Size in bytes; null if it is unknown."""

    checksum: Annotated[str, Pattern(_HEX, "md5:<hex> or sha256:<hex> of the file, or null")] | None
    """`md5:<hex>` or `sha256:<hex>`. Only a file with this checksum is accepted, whether it was
    fetched or copied by hand. With null, the checksum is pinned when the first bank was
    built from it, see `pins`."""


@dataclass(frozen=True)
class SharedArchive:
    """An archive that another dataset declares."""

    owner: Annotated[Text, Key("from")]
    """Dataset that declares this archive under the same key."""


@dataclass(frozen=True)
class Published:
    """Numbers of a dataset in table 1 of FSSUAVL."""

    symbol: Text
    """Name of the dataset in the paper."""

    numbers: Mapping[CountedName, Count]
    """`classes` or a split -> number in the paper. The paper's #Val belongs to the split that is
    scored."""

    differences: str | None
    """Why the numbers here differ from those in the paper; null if they do not."""


@dataclass(frozen=True)
class Dataset:
    """A dataset with archives. Its mirror folder, bank and reader have the same name."""

    title: Text
    """Name to print."""

    modality: Modality
    """Type of the samples."""

    classes: AtLeastTwo
    """Number of classes; verified when the bank is built."""

    splits: Annotated[Mapping[SplitName, Count | None], MinLen(1)]
    """Split -> number of labelled members, including unreadable and absent ones; verified when the
    bank is built. null if it is unknown: the members are then only counted."""

    archives: Annotated[
        Mapping[
            ArchiveKey,
            Annotated[Archive | SharedArchive, Choice(lambda entry: int("from" in entry))],
        ],
        MinLen(1),
    ]
    """Archive key, as the reader expects it -> archive, or `from` with the dataset that declares
    the archive of this key."""

    licence: Text
    """Licence or terms of use."""

    citation: Text
    """Publication to cite."""

    access: str | None
    """How to get archives that have no address; null if all have one. The failing job prints it,
    and replaces `<data_dir>` and `<results_dir>` by the folders of the run."""

    max_bad_share: Share
    """Largest accepted share of unreadable members. Absent members do not count. `bank.json` lists
    both."""

    notes: str | None
    """Further information for users."""

    unverified: Annotated[tuple[CountedName, ...] | None, Unique()] = None
    """`classes` and splits whose declared numbers nobody has verified on the archives yet. The
    message about a mismatch says so."""

    dtype: SoundType | None = None
    """How the bank stores sound; `int16` if absent. `float32` keeps quiet recordings of more than
    16 bits as they are, in twice the space, 64 KB per second. For audio only."""

    published: Published | None = None
    """Numbers in table 1 of FSSUAVL."""

    synthetic: bool | None = None
    """Whether the workflow generates the archives instead of acquiring them (demo only); false if
    absent."""

    folder: Annotated[str | None, _HAS_ARCHIVES] = None
    """For your own files only."""

    table: Annotated[str | None, _HAS_ARCHIVES] = None
    """For your own files only."""


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
