"""Settings of the evaluation protocols, and of the jobs that score checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from fedssl.settings import (
    AtLeastTwo,
    Check,
    Count,
    Key,
    NonNegative,
    Positive,
    Precision,
    Share,
    Unique,
)
from fedssl.views.settings import FineTuneAugmentation, ViewSettings


@dataclass(frozen=True)
class Knn:
    """The kNN monitor: a vote of the nearest training samples."""

    k: Count
    """Neighbours that vote; a smaller training split votes as a whole. Stated."""

    temperature: Positive
    """Temperature of the votes, in units of cosine similarity. Stated."""


@dataclass(frozen=True)
class Supervised:
    """Supervised training: SGD whose learning rate drops at milestones."""

    epochs: Count
    """Epochs. Stated."""

    lr: Positive
    """Initial learning rate. Stated."""

    milestones: tuple[Share, ...]
    """Shares of the epochs after which the learning rate drops. Stated."""

    decay: Positive
    """Factor of a drop. Stated, as "linearly decayed"."""

    batch_size: AtLeastTwo
    """Samples in a batch. Decided."""

    momentum: Share
    """Nesterov momentum. Decided: the authors' earlier code."""

    weight_decay: NonNegative
    """L2 penalty. Decided."""


@dataclass(frozen=True)
class LinearProbe(Supervised):
    """The linear probe: one linear layer on frozen features."""

    standardise: bool
    """Whether features are scaled to unit deviation while the probe trains. Decided: they are taken
    as they come. Then a random encoder's probe has not converged after 60 epochs, so gains of the
    probe over random init look larger than with `true`."""


@dataclass(frozen=True)
class FineTune(Supervised):
    """Fine-tuning: the backbone and a new linear layer, trained end to end."""

    augmentation: FineTuneAugmentation
    """Random changes of images; a sound is cropped in time."""


@dataclass(frozen=True)
class Retrieval:
    """Retrieval: whether one of the k nearest training samples has the query's class."""

    ks: Annotated[
        tuple[Count, ...],
        MinLen(1),
        Unique(),
        Check(lambda ks: ks[0] == 1, "a list that starts with 1"),
    ]
    """Sizes of the retrieved set; the first is the headline, R@1. Decided."""


@dataclass(frozen=True)
class EmbeddingMap:
    """The t-SNE maps of figures 2 and 3; the paper states nothing of them."""

    samples: AtLeastTwo
    """Samples of each dataset, or all that the scored split has. Decided."""

    components: AtLeastTwo
    """Principal components that t-SNE lays out, at most as many as there are features. Decided."""

    perplexity: Annotated[float, Ge(1.0)]
    """Neighbours that t-SNE keeps close; fewer than all samples together. Decided."""


@dataclass(frozen=True)
class Evaluation:
    """How checkpoints are scored."""

    threads: Count
    """Torch threads of a job."""

    recalibrate_batch_norm: bool
    """Whether batch norm takes its statistics from a task's training split before features are
    read. Decided: no, scores read the statistics of pretraining, a blend of both modalities.
    Fine-tuning trains them anyway, and maps never recalibrate."""

    specialists_see: Literal["known", "both"]
    """What a specialist is shown of a pair in table 4: the modality it was trained on (`known`), or
    both, as FSSUAVL is. Decided: `known` ("outperforming single-modality approaches")."""

    knn: Knn
    """The kNN monitor."""

    linear_probe: Annotated[LinearProbe, Key("linear-probe")]
    """The linear probe."""

    retrieval: Retrieval
    """Retrieval."""

    embedding_map: Annotated[EmbeddingMap, Key("embedding-map")]
    """The maps of figures 2 and 3."""

    fine_tune: Annotated[FineTune, Key("fine-tune")]
    """Fine-tuning."""


@dataclass(frozen=True, kw_only=True)
class JobSettings(ViewSettings):
    """What every job that reads a checkpoint depends on. `encoder` is plain: it names its class."""

    encoder: Mapping[str, Any]
    seed: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class TaskSettings(JobSettings):
    """What scoring a checkpoint on one task depends on."""

    split: str


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(TaskSettings):
    """The same for the protocols that need only features."""

    knn: Knn
    linear_probe: Annotated[LinearProbe, Key("linear-probe")]
    recalibrate_batch_norm: bool
    retrieval: Retrieval


@dataclass(frozen=True, kw_only=True)
class RoundSettings(TaskSettings):
    """The same for the rounds of a cell."""

    recalibrate_batch_norm: bool
    retrieval: Retrieval


@dataclass(frozen=True, kw_only=True)
class FineTuneSettings(TaskSettings):
    """The same for fine-tuning."""

    fine_tune: Annotated[FineTune, Key("fine-tune")]
    precision: Precision


@dataclass(frozen=True, kw_only=True)
class PairSettings(TaskSettings):
    """The same for pairs of an image and a sound."""

    by: Literal["label", "name"]
    knn: Knn
    linear_probe: Annotated[LinearProbe, Key("linear-probe")]
    modalities: tuple[str, ...]
    recalibrate_batch_norm: bool


@dataclass(frozen=True, kw_only=True)
class MappedDataset:
    """A dataset on a map, and the split its samples are drawn from."""

    dataset: str
    split: str


@dataclass(frozen=True, kw_only=True)
class MapSettings(JobSettings, EmbeddingMap):
    """What a map of one checkpoint depends on."""

    datasets: tuple[MappedDataset, ...]
