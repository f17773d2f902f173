"""Settings of pretraining: the federation, the clients' optimiser, and a cell's job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from fedssl.aggregators.centralised import Centralised
from fedssl.settings import (
    BatchSize,
    DropoutRate,
    Epochs,
    LearningRate,
    Momentum,
    Natural,
    Positive,
    PositiveShare,
    Precision,
    Rounds,
    Scale,
    Share,
    Unique,
    WeightDecay,
)
from fedssl.views.settings import ViewSettings

BatchOrder = Literal["alternate", "shuffle", "image-first", "audio-first"]


@dataclass(frozen=True)
class Faults:
    """Simulated faults of clients, as in cross-device federations; see docs/faults.md."""

    dropout: DropoutRate = 0.0
    """Probability that a client drops out of a round that it was selected for. It receives the
    model and returns no update. 0 if absent."""

    deadline: Annotated[float, Ge(1.0)] | None = None
    """Longest simulated duration of a client's local training, in samples that a client of median
    speed trains on. A client with a longer one is a straggler, whose update is not used. Without
    it, the server waits for all."""

    speed_sigma: Annotated[float, Ge(0.0), Le(10.0)] = 0.0
    """Standard deviation of the logarithm of a client's slowness, which has the median 1 and is the
    same in all rounds. With 0, only the number of samples decides who misses the deadline. 0 if
    absent."""

    attack: Literal["sign-flip", "scaling", "gaussian"] | None = None
    """Update that a malicious client sends in place of its own d: -`attack_scale` d (`sign-flip`),
    `attack_scale` d (`scaling`), or noise of standard deviation `attack_scale` (`gaussian`)."""

    malicious: Share = 0.0
    """Share of all clients that are malicious; they are the same in all rounds. 0 if absent."""

    attack_scale: Scale = 1.0
    """Scale of the attack; 1 if absent."""


@dataclass(frozen=True)
class Federation:
    """Clients and rounds."""

    clients: Annotated[int, Ge(1), Le(10_000_000)]
    """Number of clients. Stated."""

    fraction: PositiveShare
    """Share of the clients that train in a round. Stated."""

    rounds: Epochs
    """Communication rounds. Stated."""

    local_epochs: Epochs
    """Epochs of local training in a round. Stated; table 7 uses 1."""

    batch_size: BatchSize
    """Samples of one modality in a batch. Stated."""

    batch_order: BatchOrder
    """Order of a client's image and audio batches in an epoch, for cells with both modalities. The
    paper says "sequentially in a batch-wise manner". Decided: image, audio, image, audio, then
    the remaining batches."""

    client_heads: Literal["persist", "reset"]
    """Under a `-bb` aggregator, a client continues with its head of its last round (`persist`), or
    starts every round with the head of round 0 (`reset`). Decided: FedVSSL's code."""

    kept_rounds: Annotated[tuple[Rounds, ...], Unique()]
    """Rounds whose global model is kept in `milestones/`, so that it can be scored or mapped
    without training again; 0 is the random encoder. fassl keeps 0, 1, 10, 20, ... 100; fssuavl
    keeps 10, 40, 70 and 100 of a0-i0-b100."""

    clipping_norm: Scale | None = None
    """Largest L2 norm of a client's change of the parameters; the server scales a larger one down
    to it (norm clipping), under any aggregator. Without it, changes are not clipped."""

    faults: Faults | None = None
    """Simulated faults of clients; none if absent."""


@dataclass(frozen=True)
class Optimiser:
    """SGD, with a new state for every client and round."""

    lr: LearningRate
    """Initial learning rate of a round. Stated."""

    schedule: Literal["cosine-local", "cosine-global", "constant"]
    """Schedule of the learning rate. The paper says both "unchanged throughout the FL" and
    "cosine". Decided: a cosine over the local epochs of a round, which starts anew in each round;
    in a centralised cell, over all epochs."""

    momentum: Momentum
    """Momentum of SGD. Decided: the authors' earlier code."""

    weight_decay: WeightDecay
    """L2 penalty. Stated."""


@dataclass(frozen=True)
class Sharding:
    """How the training samples are dealt to the clients."""

    alpha: Positive
    """Dirichlet concentration; smaller is more heterogeneous. Decided: the paper has no value."""

    min_samples: Natural
    """Samples of a modality that a client should have. Decided. Cells with the same alpha and the
    same number of clients share their shards, and so this setting."""


@dataclass(frozen=True)
class Batches:
    """The settings of a federation that centralised training has as well."""

    batch_size: int
    batch_order: BatchOrder


@dataclass(frozen=True, kw_only=True)
class PretrainingSettings(ViewSettings):
    """Settings of any pretraining job, as its provenance record holds them.

    `method` and `encoder` are plain mappings, because their classes depend on the names in them.
    """

    method: Mapping[str, Any]
    encoder: Mapping[str, Any]
    optimiser: Optimiser
    portable: bool
    precision: Precision
    seed: int
    split: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class FederatedSettings(PretrainingSettings):
    """Settings of a federated cell; `aggregator` is a plain mapping, as `method` is."""

    aggregator: Mapping[str, Any]
    federation: Federation
    sharding: Sharding


@dataclass(frozen=True, kw_only=True)
class CentralisedSettings(PretrainingSettings):
    """Settings of a centralised cell."""

    aggregator: Centralised
    federation: Batches
