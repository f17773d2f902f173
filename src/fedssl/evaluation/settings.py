"""Declare the settings of the evaluation protocols, and of the jobs that score checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen

from fedssl.settings import (
    AtLeastTwo,
    BatchSize,
    Check,
    Count,
    DecayFactor,
    Epochs,
    Key,
    LearningRate,
    Momentum,
    Precision,
    Share,
    Temperature,
    Threads,
    Unique,
    WeightDecay,
)
from fedssl.views.settings import FineTuneAugmentation, ViewSettings


@dataclass(frozen=True)
class Knn:
    """kNN: a vote of the nearest training samples."""

    k: Count
    """Number of neighbours that vote; a smaller training split votes as a whole. Stated."""

    temperature: Temperature
    """Temperature of the votes: a neighbour at cosine similarity s has the weight exp(s /
    temperature). Stated."""


@dataclass(frozen=True)
class Supervised:
    """Supervised training by SGD, with a learning rate that drops at milestones."""

    epochs: Epochs
    """Number of epochs. Stated."""

    lr: LearningRate
    """Initial learning rate. Stated."""

    milestones: Annotated[
        tuple[Share, ...],
        Check(lambda shares: list(shares) == sorted(set(shares)), "a list of increasing shares"),
    ]
    """Shares of the epochs after which the learning rate drops. Stated."""

    decay: DecayFactor
    """Factor by which the learning rate is multiplied at a milestone. Stated, as "linearly
    decayed"."""

    batch_size: BatchSize
    """Number of samples in a batch. Decided."""

    momentum: Momentum
    """Nesterov momentum. Decided: the authors' earlier code."""

    weight_decay: WeightDecay
    """L2 penalty. Decided."""


@dataclass(frozen=True)
class LinearProbe(Supervised):
    """Linear probe: one linear layer on frozen features."""

    standardise: bool
    """Whether features are standardised while the probe trains. Decided: they are not. The probe of
    a random encoder has then not converged after 60 epochs, so gains over random init look larger
    than with `true`."""


@dataclass(frozen=True)
class FineTune(Supervised):
    """Fine-tuning: the backbone and a new linear layer, trained end to end."""

    augmentation: FineTuneAugmentation
    """Augmentation of images; sounds are only cropped in time."""


@dataclass(frozen=True)
class Retrieval:
    """Retrieval: whether one of the k nearest training samples has the query's class."""

    ks: Annotated[
        tuple[Count, ...],
        MinLen(1),
        Unique(),
        Check(lambda ks: ks[0] == 1, "a list that starts with 1"),
    ]
    """Numbers k of retrieved samples. Tables show R@k of the first, which is R@1. Decided."""


@dataclass(frozen=True)
class EmbeddingMap:
    """t-SNE maps of figures 2 and 3. The paper does not state their settings."""

    samples: AtLeastTwo
    """Number of samples of each dataset; a smaller scored split is used as a whole. Decided."""

    components: AtLeastTwo
    """Number of principal components that t-SNE reads; at most the number of features. Decided."""

    perplexity: Annotated[float, Ge(1.0)]
    """Perplexity of t-SNE; must be smaller than the number of samples on the map. Decided."""


@dataclass(frozen=True)
class Evaluation:
    """How checkpoints are scored."""

    threads: Threads
    """Number of torch threads of a job."""

    recalibrate_batch_norm: bool
    """Whether batch norm takes its statistics from a task's training split before features are
    computed. Decided: no. Features then use the statistics of pretraining, a mixture of both
    modalities. The contrast `fssuavl_recalibrated` shows what this setting changes in kNN.
    Fine-tuning updates the statistics anyway, and maps never recalibrate."""

    specialists_see: Literal["known", "both"]
    """Modalities of a pair that a specialist is shown in table 4: the one it was trained on
    (`known`), or `both`, like FSSUAVL. Decided: `known` ("outperforming single-modality
    approaches")."""

    knn: Knn
    """kNN."""

    linear_probe: Annotated[LinearProbe, Key("linear-probe")]
    """Linear probe."""

    retrieval: Retrieval
    """Retrieval."""

    embedding_map: Annotated[EmbeddingMap, Key("embedding-map")]
    """Maps of figures 2 and 3."""

    fine_tune: Annotated[FineTune, Key("fine-tune")]
    """Fine-tuning."""


@dataclass(frozen=True, kw_only=True)
class JobSettings(ViewSettings):
    """Settings of every job that reads a checkpoint.

    `encoder` stays a dict, because its class depends on the architecture that it names.
    """

    encoder: Mapping[str, Any]
    portable: bool
    seed: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class TaskSettings(JobSettings):
    """Settings of a job that scores a checkpoint on one task."""

    split: str


@dataclass(frozen=True, kw_only=True)
class RoundSettings(TaskSettings):
    """Settings of the job that scores the kept rounds of a cell."""

    recalibrate_batch_norm: bool
    retrieval: Retrieval


@dataclass(frozen=True, kw_only=True)
class RecalibratedSettings(TaskSettings):
    """Settings of the job of kNN after batch norm was recalibrated."""

    knn: Knn


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(RoundSettings):
    """Settings of the job of the protocols that need only features."""

    knn: Knn
    linear_probe: Annotated[LinearProbe, Key("linear-probe")]


@dataclass(frozen=True, kw_only=True)
class FineTuneSettings(TaskSettings):
    """Settings of the job that fine-tunes a checkpoint."""

    fine_tune: Annotated[FineTune, Key("fine-tune")]
    precision: Precision


@dataclass(frozen=True, kw_only=True)
class PairingSettings(TaskSettings):
    """Settings of every job that reads pairs of an image and a sound.

    `by` says whether pairs are formed by name or by label, and `modalities` which of the two a
    checkpoint is shown.
    """

    by: Literal["label", "name"]
    modalities: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PairSettings(PairingSettings):
    """Settings of the job that scores checkpoints on pairs with frozen features."""

    knn: Knn
    linear_probe: Annotated[LinearProbe, Key("linear-probe")]
    recalibrate_batch_norm: bool


@dataclass(frozen=True, kw_only=True)
class FineTunePairSettings(PairingSettings, FineTuneSettings):
    """Settings of the job that fine-tunes a checkpoint on pairs."""


@dataclass(frozen=True, kw_only=True)
class MappedDataset:
    """A dataset on a map, and the split that its samples are drawn from."""

    dataset: str
    split: str


@dataclass(frozen=True, kw_only=True)
class MapSettings(JobSettings, EmbeddingMap):
    """Settings of the job that maps samples by one checkpoint."""

    datasets: tuple[MappedDataset, ...]
