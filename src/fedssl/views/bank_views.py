"""Make views of a bank's samples, given their positions in the bank.

Methods and evaluation call `Views` and need not know whether the bank holds images or audio.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fedssl.ahead import steps_ahead
from fedssl.data.banks.bank import Bank
from fedssl.data.banks.rows import Batch, Rows
from fedssl.views import audio as audio_views
from fedssl.views import image as image_views
from fedssl.views.settings import Audio, ViewSettings

Samples = Tensor | Future[Tensor]
# Reading waits for disks most of the time. Two views of a step are then read at once, while the
# numbers of the next step are drawn.
_READERS = 2


class Drawn(NamedTuple):
    """Samples of a batch, and the random numbers of their views, in host memory.

    Attributes:
        samples: images (batch, h, w, 1 or 3) uint8, or frames (batch, samples) of the bank's
            type. Ahead of a GPU they are still being read.
        numbers: the numbers that the views of the modality draw; None for a view without.
    """

    samples: Samples
    numbers: Tensor | None


class DrawnWindows(NamedTuple):
    """Windows of sound in groups of the same number of time steps.

    Attributes:
        places: place of each group's windows in the batch.
        groups: the windows of each group.
    """

    places: list[Tensor]
    groups: list[Drawn]


class Views:
    """Make augmented and plain views of a bank's samples, with a cell's settings.

    A view is made in two halves. Drawing reads the samples and takes all random numbers; it needs
    no device, so a thread can do it for the batches to come (`fedssl.ahead`). Rendering computes
    the view on the device.
    """

    def __init__(
        self,
        bank: Bank,
        settings: ViewSettings,
        *,
        statistics: Mapping[str, float] | None,
        device: torch.device,
    ) -> None:
        """Store the bank and the settings; audio also needs the spectrogram `statistics`."""
        self.bank = bank
        self.device = device
        self._settings = settings
        self._statistics = statistics
        ahead = steps_ahead(device) > 0
        self._readers = ThreadPoolExecutor(_READERS, "read") if ahead else None

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Return one augmented view of each sample, (batch, 3, size, size)."""
        return self.render(self.draw(indices, rng))

    def draw(self, indices: np.ndarray, rng: np.random.Generator) -> Drawn:
        """Read samples and draw the numbers of one augmented view of each."""
        if self.bank.modality == "audio":
            frames = self._frames(indices, rng)
            return self._draw_frames(frames.read, len(indices), frames.length, rng)
        assert self._settings.augmentation is not None and self.bank.images is not None
        samples = self._read(partial(self.bank.rows.take, indices))
        numbers = image_views.draw(
            rng,
            len(indices),
            size=self.bank.images.shape[1:3],
            augmentation=self._settings.augmentation.image,
        )
        return Drawn(samples, self.staged(numbers))

    def render(self, drawn: Drawn) -> Tensor:
        """Return the augmented view of each sample that `draw` has drawn."""
        samples, augmentation = self.on_device(drawn.samples), self._settings.augmentation
        assert drawn.numbers is not None and augmentation is not None
        if self.bank.modality == "image":
            return image_views.render(samples, drawn.numbers, image=self._settings.image)
        assert self._statistics is not None
        return audio_views.render(
            samples,
            drawn.numbers,
            audio=self._settings.audio,
            statistics=self._statistics,
            augmentation=augmentation.audio,
        )

    def augmented_windows(self, windows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Return one augmented view of each window, (len(windows), 3, size, size); audio only.

        `windows` holds [start, stop) positions in the bank's waveforms, of any lengths.
        """
        return self.render_windows(self.draw_windows(windows, rng))

    def draw_windows(self, windows: np.ndarray, rng: np.random.Generator) -> DrawnWindows:
        """Read windows of sound and draw the numbers of one augmented view of each."""
        # ACOP's clips of short recordings differ in length, and a batch needs one length. Group
        # the windows by their number of time steps: padding them further would show the network
        # how long the clip is. Within a group the STFT pads with zeros at the end anyway.
        steps = (windows[:, 1] - windows[:, 0]) // self._settings.audio.hop
        places = [np.flatnonzero(steps == count) for count in np.unique(steps)]
        groups = [self._draw_windows(windows[alike], rng) for alike in places]
        return DrawnWindows([self.staged(alike) for alike in places], groups)

    def render_windows(self, drawn: DrawnWindows) -> Tensor:
        """Return the augmented view of each window that `draw_windows` has drawn."""
        size, count = self._settings.audio.size, sum(map(len, drawn.places))
        views = torch.empty((count, 3, size, size), device=self.device)
        for places, group in zip(drawn.places, drawn.groups, strict=True):
            views[self.on_device(places)] = self.render(group)
        return views

    def plain(self, indices: np.ndarray) -> Tensor:
        """Return the evaluation view of each sample, (batch, 3, size, size)."""
        return self.render_plain(self.read_plain(indices))

    def read_plain(self, indices: np.ndarray) -> Samples:
        """Return images, or the central frames of clips, in host memory."""
        if self.bank.modality == "image":
            return self._read(partial(self.bank.rows.take, indices))
        return self._read(partial(self._frames(indices, None).read, self.bank.rows))

    def render_plain(self, samples: Samples) -> Tensor:
        """Return the evaluation view of each sample that `read_plain` has read."""
        inputs = self.on_device(samples)
        if self.bank.modality == "image":
            return image_views.plain_view(inputs, image=self._settings.image)
        assert self._statistics is not None
        return audio_views.plain_view(
            inputs, audio=self._settings.audio, statistics=self._statistics
        )

    def staged(self, array: Batch) -> Tensor:
        """Return an array as a tensor in host memory, from where a GPU can copy it by itself.

        A tensor is on the device already.
        """
        if isinstance(array, Tensor):
            return array
        tensor = torch.from_numpy(array)
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def on_device(self, samples: Samples) -> Tensor:
        """Return staged samples on the device once they are read, without waiting for a GPU."""
        tensor = samples.result() if isinstance(samples, Future) else samples
        return tensor.to(self.device, non_blocking=True)

    def _read(self, read: Callable[[], Batch]) -> Samples:
        """Return the staged samples that `read` returns; ahead of a GPU, a thread reads them."""
        if self._readers is None:
            return self.staged(read())
        return self._readers.submit(lambda: self.staged(read()))

    def _draw_windows(self, windows: np.ndarray, rng: np.random.Generator) -> Drawn:
        longest = int((windows[:, 1] - windows[:, 0]).max())
        return self._draw_frames(partial(cut_windows, windows=windows), len(windows), longest, rng)

    def _draw_frames(
        self,
        read: Callable[[Rows], Batch],
        batch: int,
        samples: int,
        rng: np.random.Generator,
    ) -> Drawn:
        assert self._settings.augmentation is not None
        waveforms = self._read(partial(read, self.bank.rows))
        numbers = audio_views.draw(
            rng,
            batch,
            samples=samples,
            audio=self._settings.audio,
            augmentation=self._settings.augmentation.audio,
        )
        return Drawn(waveforms, self.staged(numbers))

    def _frames(self, indices: np.ndarray, rng: np.random.Generator | None) -> audio_views.Frames:
        return crop_clips(self.bank, indices, audio=self._settings.audio, rng=rng)


def crop_clips(
    bank: Bank,
    indices: np.ndarray,
    *,
    audio: Audio,
    rng: np.random.Generator | None,
) -> audio_views.Frames:
    """Return one frame per clip of a bank: random with `rng`, else centred."""
    assert bank.offsets is not None
    spans = np.stack([bank.offsets[indices], bank.offsets[indices + 1]], axis=1)
    return audio_views.crop(spans, length=audio_views.frame_length(audio), rng=rng)


def cut_windows(waveforms: Rows, windows: np.ndarray) -> Batch:
    """Return the windows [start, stop) as frames, padded with zeros to the longest."""
    lengths = windows[:, 1] - windows[:, 0]
    first = np.zeros_like(lengths)
    return waveforms.frames(windows[:, 0], first, lengths, length=int(lengths.max()))
