"""Settings of a study: names of parts and splits, datasets, tasks and pairs."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from annotated_types import MinLen

from fedssl.grid.parts import part_names
from fedssl.settings import Made, Pattern, Text, Unique, Word

Split = Annotated[
    str,
    Pattern(
        r"^a[0-9]{1,3}-i[0-9]{1,3}-b[0-9]{1,3}$",
        "a{x}-i{y}-b{z}: percent of clients with audio only, image only, both, for example "
        "a33-i33-b34",
    ),
]
Name = TypeVar("Name")
Names = Annotated[tuple[Name, ...], MinLen(1), Unique()]
StudyName = Annotated[
    str,
    Pattern(
        r"^[a-z0-9-]{1,60}$",
        "up to 60 lower-case letters, digits and -; an underscore begins the name of a table",
    ),
]


def _one_of(axis: str) -> Made:
    return Made(lambda: Literal[tuple(part_names(axis))])


MethodName = Annotated[str, _one_of("method")]
ArchName = Annotated[str, _one_of("arch")]
AggregatorName = Annotated[str, _one_of("aggregator")]


@dataclass(frozen=True)
class Scale:
    """Whether the run has the papers' size."""

    kind: Literal["paper", "scaled"]
    """With `scaled`, every number is marked and none is compared with the paper."""

    note: str
    """What was scaled; printed on every table and figure."""


@dataclass(frozen=True)
class PretrainingDatasets:
    """What a study's cells are pretrained on."""

    audio: Word | None = None
    """Dataset of sounds, if a cell sees any, or a task has sounds: their spectrograms are scaled by
    its statistics."""

    image: Word | None = None
    """Dataset of images, if a cell sees any."""


@dataclass(frozen=True)
class TaskEntry:
    """A downstream task."""

    task: Word
    """Name of the task: a dataset, or a name of its own if there is `dataset`."""

    split: Word
    """Split that is scored; the training split is the memory of kNN."""

    map: bool | None = None
    """Whether samples of the split are on the maps of figures 2 and 3; false if absent."""

    dataset: Word | None = None
    """Dataset, for a second split of one; such a task is not fine-tuned for."""

    not_comparable: Text | None = None
    """Why the samples are not those of the paper. Numbers of this task then have the verdict
    `not-comparable`."""


@dataclass(frozen=True)
class PairEntry:
    """An audio-visual task."""

    pair: Word
    """Name of the task."""

    image: Word
    """Dataset of the images."""

    audio: Word
    """Dataset of the sounds."""

    split: Word
    """Split that is scored."""

    by: Literal["label", "name"]
    """`name` joins members of one name; `label` gives each sound an image of its class, drawn by
    the cell's seed without repetition."""

    not_comparable: Text | None = None
    """As for tasks."""
