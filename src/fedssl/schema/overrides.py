"""Declare the settings of a cell, and which of them a study, a variant or an entry overrides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fedssl.federation.settings import Federation, Optimiser, Sharding
from fedssl.grid.forms import part_override
from fedssl.settings import Made, Pixels, Threads, Word
from fedssl.views.settings import Audio, Augmentation, Image


@dataclass(frozen=True)
class TrainingSettings:
    """Settings that a study, a variant and an entry of `cells` can all override."""

    federation: Federation
    """Clients and rounds."""

    optimiser: Optimiser
    """SGD, started anew for every client and round."""

    sharding: Sharding
    """How the training samples are dealt to the clients."""

    augmentation: Augmentation
    """Random changes of a sample that make two views of it."""

    threads: Threads
    """Torch threads of one client's training on a CPU. They change the last bits of a result, so
    they are a setting and not `--cores`. On a GPU they compute nothing and are not used."""


@dataclass(frozen=True)
class PartOverrides:
    """Overrides of the settings of a method, an encoder and an aggregator."""

    method: Annotated[Mapping[str, Any], Made(lambda: part_override("method"))]
    """Settings of the method."""

    encoder: Annotated[Mapping[str, Any], Made(lambda: part_override("arch"))]
    """Settings of the encoder. An entry of `cells` cannot override them."""

    aggregator: Annotated[Mapping[str, Any], Made(lambda: part_override("aggregator"))]
    """Settings of the aggregator."""


# Variants cannot override most of `image` and `audio`: the cells of a study share the statistics of
# the pretraining set.
@dataclass(frozen=True)
class CellSettings(TrainingSettings):
    """Settings of every cell, which a study, a variant or an entry of `cells` may override."""

    image: Image
    """Size and scale of images."""

    audio: Audio
    """How a sound becomes a log-mel image."""


@dataclass(frozen=True)
class StudySettings(CellSettings, PartOverrides):
    """Overrides of a study."""


@dataclass(frozen=True)
class VariantImage:
    """Overrides of `image`."""

    size: Pixels
    """Width and height in pixels."""


@dataclass(frozen=True)
class VariantAudio:
    """Overrides of `audio`; all cells of a study share the statistics of its sounds."""

    size: Pixels
    """Width and height of the log-mel image after resizing, in pixels."""

    normalisation: Literal["dataset", "sample"]
    """Whose mean and standard deviation standardise a log-mel image."""


@dataclass(frozen=True)
class EntrySettings(TrainingSettings, PartOverrides):
    """Overrides of an entry of `cells`."""

    image: VariantImage
    """Size of images. An entry of `cells` cannot override it."""

    audio: VariantAudio
    """How a sound becomes a log-mel image. An entry of `cells` cannot override it."""


@dataclass(frozen=True)
class VariantDatasets:
    """Overrides of `datasets`; all cells of a study share the statistics of its sounds."""

    image: Word
    """Dataset of images."""


@dataclass(frozen=True)
class VariantSettings(EntrySettings):
    """Overrides of a variant."""

    datasets: VariantDatasets
    """What its cells are pretrained on."""
