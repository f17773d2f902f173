"""Declare the settings of the views of images and sounds."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from fedssl.settings import (
    Check,
    ClipSeconds,
    Count,
    CropShare,
    FrameLength,
    Pair,
    Pixels,
    Share,
    Shares,
)

Strength = Annotated[float, Ge(0.0), Le(10.0)]
Jitter = Annotated[
    tuple[Strength, Strength, Strength, Strength],
    Check(lambda factors: factors[3] <= 0.5, "four strengths, that of hue at most 0.5"),
]
Deviation = Annotated[float, Ge(0.001), Le(1.0)]


@dataclass(frozen=True)
class Image:
    """Size and scale of images."""

    size: Pixels
    """Width and height in pixels. Stated."""

    mean: tuple[Share, Share, Share]
    """Mean of each channel, for values from 0 to 1. Decided: that of ImageNet."""

    std: tuple[Deviation, Deviation, Deviation]
    """Standard deviation of each channel, for values from 0 to 1. Decided: that of ImageNet."""


@dataclass(frozen=True)
class Audio:
    """Conversion of a sound to a log-mel image."""

    sample_rate: Literal[16000]
    """Sample rate in Hz; banks store 16 kHz. Stated."""

    crop_seconds: ClipSeconds
    """Length of a crop in seconds. Stated."""

    n_fft: FrameLength
    """Length of the FFT in samples. Decided: the same group's later code."""

    window: FrameLength
    """Length of the window in samples. Decided: the same group's later code."""

    hop: FrameLength
    """Step between windows in samples. Decided: the same group's later code."""

    mels: FrameLength
    """Number of mel bins. Stated."""

    log_floor: Annotated[float, Ge(1e-30), Le(1.0)]
    """Value added to the magnitude before the logarithm. Decided."""

    size: Pixels
    """Width and height of the log-mel image after resizing, in pixels. Stated."""

    statistics_clips: Count
    """Number of clips from which the statistics of the pretraining set are computed. Decided."""

    normalisation: Literal["dataset", "sample"]
    """Mean and standard deviation that standardise a log-mel image: those of the pretraining set,
    for every audio dataset (`dataset`), or those of the image (`sample`). Decided."""


@dataclass(frozen=True)
class ImageAugmentation:
    """Augmentations of SimCLR, with the values of the paper's reference [33]."""

    crop_scale: Shares
    """Least and largest share of the area that a random crop keeps. Reference [33]."""

    jitter: Jitter
    """Strength of colour jitter: brightness, contrast, saturation, and hue, which is at most 0.5.
    Reference [33]."""

    jitter_probability: Share
    """Share of samples with colour jitter. Reference [33]."""

    grey_probability: Share
    """Share of samples converted to greyscale. Reference [33]."""

    blur_sigma: Pair
    """Least and largest standard deviation of the Gaussian blur in pixels. Reference [33]."""

    blur_probability: Share
    """Share of samples that are blurred. Reference [33]."""


@dataclass(frozen=True)
class AudioAugmentation:
    """Augmentations of log-mel images. The papers state none, so the defaults switch them off."""

    frequency_crop: Shares
    """Least and largest share of the mel bins that a random crop keeps. Decided: all."""

    time_crop: Shares
    """Least and largest share of the time steps that a random crop keeps. Decided: all."""

    frequency_mask: Share
    """Largest share of the mel axis that is masked. Decided: none."""

    time_mask: Share
    """Largest share of the time axis that is masked. Decided: none."""

    noise: Annotated[float, Ge(0.0), Le(100.0)]
    """Standard deviation of Gaussian noise on the standardised log-mel image. Decided: none."""


@dataclass(frozen=True)
class Augmentation:
    """Augmentations that turn a sample into two different views."""

    image: ImageAugmentation
    """Augmentations of images."""

    audio: AudioAugmentation
    """Augmentations of sounds, in addition to the random crop in time."""


@dataclass(frozen=True)
class FineTuneAugmentation:
    """Augmentation of images for fine-tuning."""

    crop: CropShare
    """Share of each side that a random crop keeps. Decided."""

    flip_probability: Share
    """Share of images that are mirrored. Decided."""


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """Settings of views; only augmented views need `augmentation`."""

    image: Image
    audio: Audio
    augmentation: Augmentation | None = None
