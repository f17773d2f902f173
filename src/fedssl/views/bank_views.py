"""Make views of a bank's samples, given their positions in the bank.

Methods and evaluation call `Views` and need not know whether the bank holds images or audio.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fedssl.data.banks.bank import Bank
from fedssl.data.banks.rows import Rows
from fedssl.views import audio as audio_views
from fedssl.views import image as image_views
from fedssl.views.settings import Audio, ViewSettings


class Views:
    """Make augmented and plain views of a bank's samples, with a cell's settings."""

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
        self._settings = settings
        self._statistics = statistics
        self._device = device

    def augmented(self, indices: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Return one augmented view of each sample, (batch, 3, size, size)."""
        if self.bank.modality == "image":
            assert self._settings.augmentation is not None
            return image_views.augmented_view(
                self._images(indices),
                rng,
                image=self._settings.image,
                augmentation=self._settings.augmentation.image,
            )
        return self._augmented_frames(self._frames(indices, rng), rng)

    def augmented_windows(self, windows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Return one augmented view of each window, (len(windows), 3, size, size); audio only.

        `windows` holds [start, stop) positions in the bank's waveforms, of any lengths.
        """
        # ACOP's clips of short recordings differ in length, and a batch needs one length. Group
        # the windows by their number of time steps: padding them further would show the network
        # how long the clip is. Within a group the STFT pads with zeros at the end anyway.
        size = self._settings.audio.size
        steps = (windows[:, 1] - windows[:, 0]) // self._settings.audio.hop
        views = torch.empty((len(windows), 3, size, size), device=self._device)
        for count in np.unique(steps):
            alike = np.flatnonzero(steps == count)
            frames = cut_windows(self.bank.rows, windows[alike])
            view = self._augmented_frames(torch.from_numpy(frames).to(self._device), rng)
            views[torch.from_numpy(alike).to(self._device)] = view
        return views

    def plain(self, indices: np.ndarray) -> Tensor:
        """Return the evaluation view of each sample, (batch, 3, size, size)."""
        if self.bank.modality == "image":
            return image_views.plain_view(self._images(indices), image=self._settings.image)
        assert self._statistics is not None
        return audio_views.plain_view(
            self._frames(indices, None),
            audio=self._settings.audio,
            statistics=self._statistics,
        )

    def _images(self, indices: np.ndarray) -> Tensor:
        return torch.from_numpy(read_images(self.bank, indices)).to(self._device)

    def _augmented_frames(self, frames: Tensor, rng: np.random.Generator) -> Tensor:
        assert self._statistics is not None and self._settings.augmentation is not None
        return audio_views.augmented_view(
            frames,
            rng,
            audio=self._settings.audio,
            statistics=self._statistics,
            augmentation=self._settings.augmentation.audio,
        )

    def _frames(self, indices: np.ndarray, rng: np.random.Generator | None) -> Tensor:
        return crop_bank(
            self.bank, indices, audio=self._settings.audio, rng=rng, device=self._device
        )


def crop_bank(
    bank: Bank,
    indices: np.ndarray,
    *,
    audio: Audio,
    rng: np.random.Generator | None,
    device: torch.device,
) -> Tensor:
    """Return one int16 frame per clip, (batch, samples): random with `rng`, else centred."""
    assert bank.offsets is not None
    spans = np.stack([bank.offsets[indices], bank.offsets[indices + 1]], axis=1)
    length = audio_views.frame_length(audio)
    frames = audio_views.crop_waveforms(bank.rows, spans, length=length, rng=rng)
    return torch.from_numpy(frames).to(device)


def cut_windows(waveforms: Rows, windows: np.ndarray) -> np.ndarray:
    """Return the windows [start, stop) as int16 frames, padded with zeros to the longest."""
    lengths = windows[:, 1] - windows[:, 0]
    frames = np.zeros((len(windows), lengths.max()), dtype=np.int16)
    targets = [frame[:length] for frame, length in zip(frames, lengths, strict=True)]
    waveforms.copy(windows[:, 0], targets)
    return frames


def read_images(bank: Bank, indices: np.ndarray) -> np.ndarray:
    """Return the images at these positions of the bank, (len(indices), H, W, C) uint8."""
    assert bank.images is not None
    images = np.empty((len(indices), *bank.images.shape[1:]), dtype=np.uint8)
    # One read for each run of neighbours: evaluation passes through a bank from start to end.
    starts = np.flatnonzero(np.diff(indices, prepend=-2) != 1)
    bank.rows.copy(indices[starts], np.split(images, starts[1:]) if len(starts) else [])
    return images
