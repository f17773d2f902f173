"""Settings of the views that encoders see of images and sounds."""

from dataclasses import dataclass
from typing import Literal

from fedssl.settings import Count, NonNegative, Pair, Positive, PositiveShare, Share


@dataclass(frozen=True)
class Image:
    """Size and scale of images."""

    size: Count
    """Pixels a side. Stated."""

    mean: tuple[float, float, float]
    """Mean of each channel, of values from 0 to 1. Decided: ImageNet's."""

    std: tuple[Positive, Positive, Positive]
    """Standard deviation of each channel, of values from 0 to 1. Decided: ImageNet's."""


@dataclass(frozen=True)
class Audio:
    """How a sound becomes a log-mel image."""

    sample_rate: Literal[16000]
    """Samples a second, Hz; banks hold 16 kHz. Stated."""

    crop_seconds: Positive
    """Length of a crop, seconds. Stated."""

    n_fft: Count
    """Length of the FFT, samples. Decided: the same group's later code."""

    window: Count
    """Length of the window, samples. Decided: the same group's later code."""

    hop: Count
    """Step between windows, samples. Decided: the same group's later code."""

    mels: Count
    """Mel bins. Stated."""

    log_floor: Positive
    """Magnitude that is added before the logarithm. Decided."""

    size: Count
    """Time steps, and mel bins, of the log-mel image after resizing. Stated."""

    statistics_clips: Count
    """Clips of the pretraining set that give its mean and standard deviation. Decided."""

    normalisation: Literal["dataset", "sample"]
    """Whose mean and standard deviation standardise a log-mel image: the pretraining set's, for
    every audio dataset (`dataset`), or the image's own (`sample`). Decided."""


@dataclass(frozen=True)
class ImageAugmentation:
    """SimCLR's augmentations, with the values of the paper's reference [33]."""

    crop_scale: Pair
    """Least and largest share of the area that a random crop keeps. Reference [33]."""

    jitter: tuple[NonNegative, NonNegative, NonNegative, NonNegative]
    """Strength of colour jitter: brightness, contrast, saturation, hue. Reference [33]."""

    jitter_probability: Share
    """Share of samples with colour jitter. Reference [33]."""

    grey_probability: Share
    """Share of samples turned grey. Reference [33]."""

    blur_sigma: Pair
    """Least and largest standard deviation of the Gaussian blur, pixels. Reference [33]."""

    blur_probability: Share
    """Share of samples blurred. Reference [33]."""


@dataclass(frozen=True)
class AudioAugmentation:
    """Augmentations of log-mel images; the papers state none, so the defaults change nothing."""

    frequency_crop: Pair
    """Least and largest share of the mel bins that a random crop keeps. Decided: all."""

    time_crop: Pair
    """Least and largest share of the time steps that a random crop keeps. Decided: all."""

    frequency_mask: Share
    """Largest share of the mel axis that is masked. Decided: none."""

    time_mask: Share
    """Largest share of the time axis that is masked. Decided: none."""

    noise: NonNegative
    """Standard deviation of Gaussian noise on the standardised log-mel image. Decided: none."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a sample that make two views of it."""

    image: ImageAugmentation
    """Augmentations of images."""

    audio: AudioAugmentation
    """Augmentations of sounds, next to the random crop in time."""


@dataclass(frozen=True)
class FineTuneAugmentation:
    """What fine-tuning sees of an image."""

    crop: PositiveShare
    """Share of each side that a random crop keeps. Decided."""

    flip_probability: Share
    """Share of images that are mirrored. Decided."""


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """What views depend on; only those that are augmented need `augmentation`."""

    image: Image
    audio: Audio
    augmentation: Augmentation | None = None
