"""Audio views: a random 2 s crop as a log-mel image (fssuavl section 3.4).

paper: 16 kHz, 128 mel bins and 128 time steps, but no FFT size, window, hop or normalisation;
here: the values that the authors' group uses for VGGSound at 16 kHz, as in the configuration.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from fedssl.data.banks.rows import Batch, Rows
from fedssl.portable import sqrt
from fedssl.views.resample import apply_matrices, crop_matrix
from fedssl.views.settings import Audio, AudioAugmentation

_INT16 = 32768.0
# Clips per chunk on a CPU, chosen so that the intermediate arrays stay in the cache.
_CHUNK = 4
# A smaller standard deviation means that the clip is silent. Dividing by it would amplify noise.
_SILENCE = 1e-5


class Frames(NamedTuple):
    """Where the frames of a batch are in a bank's waveforms.

    Attributes:
        starts: first sample of each frame in the waveforms.
        first, last: [first, last) of each frame is what the samples fill; zeros are around them.
        length: samples per frame.
    """

    starts: np.ndarray
    first: np.ndarray
    last: np.ndarray
    length: int

    def read(self, waveforms: Rows) -> Batch:
        """Return the frames, (batch, length), of the type in the bank."""
        return waveforms.frames(self.starts, self.first, self.last, length=self.length)


def crop(spans: np.ndarray, *, length: int, rng: np.random.Generator | None) -> Frames:
    """Choose one frame of `length` samples in each clip.

    A longer clip is cropped at a random place. A shorter clip is placed at a random position in a
    frame of zeros. Without `rng` both are centred, which gives the evaluation view.

    Args:
        spans: [start, stop) of each clip in the waveforms of a bank, (batch, 2).
        length: samples per frame.
        rng: draws the positions, or None.
    """
    # A clip of 1 s fits into the frame of 2 s whole. Without the random position, its two views
    # would be equal and the contrastive task trivial.
    slack = (spans[:, 1] - spans[:, 0]) - length
    # The second term of `shift` makes the last position as likely as the others. Rounding could
    # exceed the slack by one, hence the minimum.
    place = np.full(len(spans), 0.5) if rng is None else rng.random(len(spans))
    shift = np.floor(np.abs(slack) * place + (0.0 if rng is None else place)).astype(np.int64)
    shift = np.minimum(shift, np.abs(slack))
    inside = slack >= 0
    starts = spans[:, 0] + np.where(inside, shift, 0)
    first = np.where(inside, 0, shift)
    last = first + np.minimum(length, spans[:, 1] - spans[:, 0])
    return Frames(starts, first, last, length)


def log_mel(frames: Tensor, *, audio: Audio) -> Tensor:
    """Return the log-mel images ln(mel magnitude + floor) of waveforms, int16 or in [-1, 1].

    Equals torchaudio's MelSpectrogram with power 1, centred frames, zero padding and the HTK
    scale. `frames` is (batch, samples); the result is (batch, mels, steps).
    """
    # Small chunks stay in the cache of a CPU: torchaudio computed 3,404 clips/s in chunks of 16 and
    # 1,090 clips/s in one batch of 256. A GPU is faster with the whole batch.
    chunk = _CHUNK if frames.device.type == "cpu" else max(len(frames), 1)
    scale = _INT16 if frames.dtype == torch.int16 else 1.0
    mels = [_mel(part.float() / scale, audio) for part in torch.split(frames, chunk)]
    return torch.log(torch.cat(mels) + audio.log_floor)


def _mel(signal: Tensor, audio: Audio) -> Tensor:
    window, hop, n_fft = audio.window, audio.hop, audio.n_fft
    # torchaudio cuts frames of n_fft samples and multiplies them by a window that is mostly zero.
    # Frames of the window's length need less memory, and rfft adds the zeros. The magnitudes are
    # equal: the position of the window in the frame changes only the phase.
    padded = torch.nn.functional.pad(signal, (window // 2, window - window // 2))
    steps = signal.shape[1] // hop + 1
    cut = padded.unfold(1, window, hop)[:, :steps] * _hann(window, signal.device)
    real, imaginary = torch.view_as_real(torch.fft.rfft(cut, n=n_fft)).unbind(-1)
    # This is faster than abs() of a complex tensor.
    magnitude = sqrt(real.square() + imaginary.square())
    filters = _filters(n_fft, audio.mels, audio.sample_rate, signal.device)
    return (magnitude @ filters).transpose(1, 2)


def augmented_view(
    frames: Tensor,
    rng: np.random.Generator,
    *,
    audio: Audio,
    statistics: Mapping[str, float],
    augmentation: AudioAugmentation,
) -> Tensor:
    """Return one augmented view per frame: (batch, samples) -> (batch, 3, size, size).

    The frame itself is the random crop in time: as in COLA, two windows of one clip are a positive
    pair. `augmentation` can add a resized crop of the log-mel image, a frequency mask, a time mask
    and Gaussian noise.
    """
    batch, samples = frames.shape
    numbers = draw(rng, batch, samples=samples, audio=audio, augmentation=augmentation)
    return render(
        frames,
        torch.from_numpy(numbers),
        audio=audio,
        statistics=statistics,
        augmentation=augmentation,
    )


def draw(
    rng: np.random.Generator,
    batch: int,
    *,
    samples: int,
    audio: Audio,
    augmentation: AudioAugmentation,
) -> np.ndarray:
    """Draw all numbers of one view of each frame of this length; see `render`.

    Returns (batch, 8) float32: start and extent of the crop of the mel axis, those of the time
    axis, then begin and end of the band that is masked on each axis. With noise, its pixels follow:
    (batch, 8 + size * size).
    """
    # One array, so that a GPU gets them in one copy.
    steps, size = samples // audio.hop + 1, audio.size
    lines = [
        *_crop(rng, batch, size=audio.mels, scale=augmentation.frequency_crop),
        *_crop(rng, batch, size=steps, scale=augmentation.time_crop),
        *_band(rng, batch, size=size, share=augmentation.frequency_mask),
        *_band(rng, batch, size=size, share=augmentation.time_mask),
    ]
    numbers = np.stack(lines, axis=1).astype(np.float32)
    if augmentation.noise > 0:
        noise = rng.standard_normal((batch, size * size), dtype=np.float32)
        numbers = np.concatenate([numbers, noise], axis=1)
    return numbers


def render(
    frames: Tensor,
    numbers: Tensor,
    *,
    audio: Audio,
    statistics: Mapping[str, float],
    augmentation: AudioAugmentation,
) -> Tensor:
    """Return the view of each frame that belongs to the numbers of `draw`."""
    # paper: no audio augmentation stated; here: these four, each with its own switch, because in
    # a trial with random crops alone the accuracy on FSDD hardly changed.
    mel = _standardised(frames, audio=audio, statistics=statistics)
    numbers = numbers.to(frames.device, non_blocking=True)
    lines = numbers[:, :8].T
    rows = crop_matrix(*lines[0:2], in_size=mel.shape[1], out_size=audio.size)
    columns = crop_matrix(*lines[2:4], in_size=mel.shape[2], out_size=audio.size)
    image = apply_matrices(mel[..., None], rows, columns)
    # Mask after the standardisation, so that a masked band has the mean value 0.
    if augmentation.frequency_mask > 0:
        image = image.masked_fill(_hidden(lines[4:6], size=audio.size)[:, None, :, None], 0.0)
    if augmentation.time_mask > 0:
        image = image.masked_fill(_hidden(lines[6:8], size=audio.size)[:, None, None, :], 0.0)
    if augmentation.noise > 0:
        image = image + augmentation.noise * numbers[:, 8:].reshape(image.shape)
    # The same spectrogram on three channels, so that one stem serves images and audio.
    return image.expand(-1, 3, -1, -1)


def plain_view(frames: Tensor, *, audio: Audio, statistics: Mapping[str, float]) -> Tensor:
    """Return the evaluation view: the standardised log-mel image, (batch, 3, size, size)."""
    mel = _standardised(frames, audio=audio, statistics=statistics)
    zero = torch.zeros(len(mel), device=mel.device)
    rows = crop_matrix(zero, zero + mel.shape[1], in_size=mel.shape[1], out_size=audio.size)
    columns = crop_matrix(zero, zero + mel.shape[2], in_size=mel.shape[2], out_size=audio.size)
    return apply_matrices(mel[..., None], rows, columns).expand(-1, 3, -1, -1)


def frame_length(audio: Audio) -> int:
    """Return the number of samples in one crop."""
    return round(audio.crop_seconds * audio.sample_rate)


def _standardised(frames: Tensor, *, audio: Audio, statistics: Mapping[str, float]) -> Tensor:
    """Return log-mel images of mean 0 and standard deviation 1.

    The setting `normalisation` decides whether that holds over the pretraining set ("dataset") or
    for each image.
    """
    mel = log_mel(frames, audio=audio)
    if audio.normalisation == "dataset":
        return (mel - statistics["mean"]) / statistics["std"]
    deviation, mean = torch.std_mean(mel, dim=(1, 2), correction=0, keepdim=True)
    return (mel - mean) / deviation.clamp_min(_SILENCE)


def _crop(
    rng: np.random.Generator, batch: int, *, size: int, scale: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a crop of one axis per sample: its start and extent in whole pixels, (batch,) each."""
    extent = np.round(size * rng.uniform(*scale, batch))
    return np.floor(rng.random(batch) * (size - extent + 1)), extent


def _band(
    rng: np.random.Generator, batch: int, *, size: int, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a band per sample, at most `share` of an axis wide: its begin and end, (batch,) each."""
    if share == 0:
        return np.zeros(batch), np.zeros(batch)
    width = rng.uniform(0.0, share * size, batch)
    start = rng.random(batch) * (size - width)
    return start, start + width


def _hidden(band: Tensor, *, size: int) -> Tensor:
    """Return which places of an axis are in the band, (2, batch) -> (batch, size)."""
    line = torch.arange(size, device=band.device)
    return (line >= band[0][:, None]) & (line < band[1][:, None])


@cache
def _hann(window: int, device: torch.device) -> Tensor:
    return torch.hann_window(window, device=device)


@cache
def _filters(n_fft: int, mels: int, sample_rate: int, device: torch.device) -> Tensor:
    """Return the mel filter bank on the HTK scale, (n_fft / 2 + 1, mels)."""
    bank: Tensor = melscale_fbanks(n_fft // 2 + 1, 0.0, sample_rate / 2, mels, sample_rate)
    return bank.to(device)
