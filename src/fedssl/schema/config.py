"""Declare the whole configuration: the sections of all packages, and their overrides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from fedssl.data.settings import AnyDataset, Banks, Downloads
from fedssl.evaluation.settings import Evaluation
from fedssl.grid.forms import part_sections
from fedssl.grid.settings import (
    AggregatorName,
    ArchName,
    MethodName,
    Names,
    PairEntry,
    PretrainingDatasets,
    Scale,
    Split,
    StudyName,
    TaskEntry,
)
from fedssl.paper.settings import (
    Contrast,
    FigureName,
    MapFigure,
    ProductName,
    SweepFigure,
    Table,
    Verdicts,
)
from fedssl.resources.limits import Limits
from fedssl.schema.overrides import CellSettings, EntrySettings, StudySettings, VariantSettings
from fedssl.settings import (
    Check,
    HyphenatedName,
    Made,
    Partial,
    Precision,
    Seed,
    Text,
    Unique,
    Word,
)


@dataclass(frozen=True)
class Cells:
    """Cells of a study: the product of these lists."""

    method: Names[MethodName]
    """Methods."""

    arch: Names[ArchName]
    """Encoders."""

    aggregator: Names[AggregatorName]
    """Aggregators."""

    split: Names[Split]
    """Modality splits `a{x}-i{y}-b{z}`: percent of the clients with audio only, image only, and
    both."""

    variant: Names[Word]
    """Variants of the study."""

    settings: Annotated[EntrySettings, Partial()] | None = None
    """What differs from the defaults in these cells only."""


@dataclass(frozen=True)
class Study:
    """A study: its cells, and what they are pretrained and scored on."""

    title: str
    """What the study reproduces."""

    datasets: PretrainingDatasets
    """What its cells are pretrained on."""

    tasks: Annotated[tuple[TaskEntry, ...], MinLen(1)]
    """Downstream tasks."""

    cells: tuple[Cells, ...]
    """Entries of the grid; an empty list leaves the study out."""

    variants: Annotated[
        Mapping[Word, Annotated[VariantSettings, Partial()]],
        Check(lambda variants: variants.get("base") == {}, "a mapping with an empty base: {}"),
    ]
    """Named changes of the defaults; `base` must be there and is empty. An ablation is one line:
    name a variant, and list it in `cells`."""

    pairs: tuple[PairEntry, ...] | None = None
    """Audio-visual tasks."""

    settings: Annotated[StudySettings, Partial()] | None = None
    """What differs from the defaults in all cells of the study, views included."""

    score_rounds: bool | None = None
    """Whether every kept round of its cells is scored on every task, and the best one chosen
    (FASSL); false if absent."""


@dataclass(frozen=True)
class Config:
    """The merged configuration."""

    results_dir: Text
    """Folder of everything that a run makes, except the archives; without white space."""

    data_dir: Text
    """Folder of the archives, as `archives/<dataset>/<file>`; several workflows may share it."""

    mirror: Text | None
    """Folder or URL that is tried before the official address, as `<mirror>/<dataset>/<file>`, or
    null. Changing it reruns nothing."""

    pins: Text
    """File with the SHA-256 of archives whose owners publish none, written when the contents have
    passed all checks; later ones must be the same. Commit it: then all who run the checkout get the
    same bytes. Changing it reruns nothing."""

    seeds: Annotated[tuple[Seed, ...], MinLen(1), Unique()]
    """Seeds: each cell runs once for each; tables show the mean and its interval. One seed
    decides nothing; `fedssl power --seeds 3` says what three decide."""

    precision: Precision
    """Arithmetic of training. `tf32` and `bf16` are faster only on hardware that has them; a device
    without TF32, such as a CPU, computes in fp32 under `tf32`. Decided: `tf32`, which the PyTorch
    release of the authors' code uses where the GPU has it. Features for scores are always fp32."""

    portable: bool
    """Whether a cell gives the same bits on every x86-64 CPU with AVX2, as far as the libraries
    allow: all of them are held to AVX2, and MKL to kernels that run on CPUs of every vendor. Scores
    of a GPU still depend on its model. Changing it reruns every cell."""

    container: Text
    """Image in which jobs run under `--sdm apptainer`: a file, or an address such as
    `docker://<registry>/<name>`. See docs/how-to/container.md."""

    engine: Literal["native", "flower"]
    """How clients train: in processes of a job, or as Flower's ClientApps, which needs the
    environment of `make flower`. The bits are the same, so changing it reruns nothing. The record
    of a cell says which it was."""

    superlink: Text | None
    """With the engine `flower`, the SuperLink to run on, as Flower's own configuration names it, or
    null for a simulation on this machine. Changing it reruns nothing."""

    track: Text | None
    """Where each finished round of a training is sent as well: `tensorboard`, for event files in
    `runs/`, a function as `<module>:<function>`, or null. Changing it reruns nothing. See
    docs/how-to/watch-a-training.md."""

    limits: Limits
    """The most that a job may ask for."""

    banks: Banks
    """How banks are made and read."""

    downloads: Downloads
    """Datasets whose members are fetched one by one, and how."""

    scale: Scale
    """Whether the run has the papers' size."""

    settings: CellSettings
    """Settings of every cell."""

    methods: Annotated[Mapping[str, Any], Made(lambda: part_sections("method"))]
    """Settings of each method."""

    encoders: Annotated[Mapping[str, Any], Made(lambda: part_sections("arch"))]
    """Settings of each encoder."""

    aggregators: Annotated[Mapping[str, Any], Made(lambda: part_sections("aggregator"))]
    """Settings of each aggregator."""

    evaluation: Evaluation
    """How checkpoints are scored."""

    verdicts: Verdicts
    """How measured numbers are compared with published ones."""

    studies: Annotated[Mapping[StudyName, Study], MinLen(1)]
    """Studies by name."""

    tables: Mapping[ProductName, Table]
    """Tables by name, `<study>_table<k>`."""

    datasets: Mapping[HyphenatedName, AnyDataset]
    """Datasets by name: that of the mirror folder, of the bank's folder and of the reader."""

    contrasts: Mapping[ProductName, Contrast]
    """Contrasts by name, `<study>_<name>`."""

    maps: Mapping[FigureName, MapFigure]
    """Figures of maps by name."""

    sweeps: Mapping[FigureName, SweepFigure]
    """Figures of sweeps by name."""
