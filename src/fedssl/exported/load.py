"""Load an exported encoder as a PyTorch module, with the preprocessing of its inputs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fedssl import methods
from fedssl.backbones.encoder import Encoder, initialise
from fedssl.data.banks.rows import MemoryRows
from fedssl.errors import UserError
from fedssl.exported.file import Exported, read_file
from fedssl.views import audio, image


class Preprocess:
    """Turn images and sounds into inputs of an encoder, as the evaluation of its run does."""

    def __init__(self, exported: Exported) -> None:
        """Use the settings of an exported encoder."""
        self.settings = exported

    def images(self, images: np.ndarray) -> Tensor:
        """Return inputs, (batch, 3, size, size), of images (batch, h, w, 1 or 3) uint8."""
        return image.plain_view(torch.from_numpy(images), image=self.settings.image)

    def sounds(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        """Return inputs, (batch, 3, size, size): log-mel images of the centres of sounds.

        Sounds are mono at 16 kHz: all int16, or all float32 in [-1, 1]. They can differ in length.

        Raises:
            UserError: The encoder's run had no audio, so it has no statistics of spectrograms.
        """
        if self.settings.statistics is None:
            raise UserError(
                "this encoder has no spectrogram statistics, because its run had no audio; it can "
                "embed images only."
            )
        ends = np.cumsum([len(waveform) for waveform in waveforms])
        spans = np.stack([ends - [len(waveform) for waveform in waveforms], ends], axis=1)
        length = audio.frame_length(self.settings.audio)
        frames = audio.crop(spans, length=length, rng=None)
        read = frames.read(MemoryRows(np.concatenate(waveforms)))
        return audio.plain_view(
            torch.as_tensor(read), audio=self.settings.audio, statistics=self.settings.statistics
        )


class LoadedEncoder(NamedTuple):
    """An encoder and the preprocessing of its inputs.

    Attributes:
        module: in evaluation mode. `module.backbone(inputs)` are features, (batch, num_features);
            `module(inputs)` are embeddings.
        preprocess: makes inputs of images and sounds; `preprocess.settings` says what the encoder
            is and where it comes from.
    """

    module: Encoder
    preprocess: Preprocess


def untrained(encoder: Mapping[str, Any], method: Mapping[str, Any]) -> Encoder:
    """Return the encoder that a method trains, before training, from the settings of both.

    A method may put a projection of its own in place of the head, as Orchestra does.
    """
    built, named = initialise(0, **encoder), dict(method)
    owner = methods.build(named.pop("name"), built, **named)
    return Encoder(owner.backbone, owner.head, num_features=built.num_features)


def load_encoder(path: str | Path) -> LoadedEncoder:
    """Return the encoder in a file that `fedssl export` wrote, on the CPU.

    Raises:
        UserError: The file does not exist or is no exported encoder.
    """
    tensors, exported = read_file(path)
    encoder = untrained(exported.encoder, exported.method)
    encoder.load_state_dict(tensors)
    return LoadedEncoder(encoder.eval(), Preprocess(exported))
