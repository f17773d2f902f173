"""The file of an exported encoder: its tensors, and how its inputs are made, as safetensors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fedssl.errors import UserError
from fedssl.files import atomic_write, bytes_digest, digest
from fedssl.settings import SoundType
from fedssl.typed import typed
from fedssl.views.settings import Audio, Image

_KEY = "fedssl"
_FORMAT = 3


@dataclass(frozen=True)
class Exported:
    """What a file says of its encoder.

    Attributes:
        encoder: settings of `backbones.build`.
        method: name and settings of the method, which may replace the encoder's head.
        image: how images become inputs.
        audio: how sounds become inputs.
        statistics: mean and standard deviation of the log-mel images of the audio pretraining set;
            None if the run had no audio.
        trained_on: dataset of each modality in pretraining.
        threads: torch threads of the evaluation, which decide the last bits of features on a CPU.
        portable: whether the run computed bits that are the same on all CPUs with AVX2.
        size: width and height in pixels to which image files are cut before `image` applies.
        sound: type of the samples that sound files are decoded to.
        provenance: where the encoder comes from, such as its cell, commit and record.
    """

    encoder: Mapping[str, Any]
    method: Mapping[str, Any]
    image: Image
    audio: Audio
    statistics: Mapping[str, float] | None
    trained_on: Mapping[str, str]
    threads: int
    portable: bool
    size: int
    sound: SoundType
    provenance: Mapping[str, Any]


def write_file(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write an encoder atomically; equal encoders have equal bytes. `facts` are of `Exported`."""
    content = {"format": _FORMAT, **facts, "digest": _digest(tensors, facts)}
    # One key only: safetensors writes several in a random order.
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(dict(tensors), metadata={_KEY: text}))


def read_file(path: str | Path) -> tuple[dict[str, Tensor], Exported]:
    """Return the tensors of an exported encoder and what the file says of it.

    Raises:
        UserError: The file does not exist, `fedssl export` did not write it, or it was changed.
    """
    if not Path(path).is_file():
        kind = "is not a file" if Path(path).exists() else "does not exist"
        raise UserError(f"{path} {kind}; name a file that `fedssl export` wrote.")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path} is no safetensors file, or it is cut off ({error}).") from error
    if text is None:
        raise UserError(
            f"{path} does not say how its inputs are made; `fedssl export <cell>` writes a file "
            "that does."
        )
    try:
        facts = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged: its description of the inputs is not JSON ({error}); export the "
            "cell again."
        ) from error
    if (found := facts.pop("format", None)) != _FORMAT:
        raise UserError(
            f"{path} has format {found!r}, but this version reads {_FORMAT}; export the cell again."
        )
    if facts.pop("digest", None) != _digest(tensors, facts):
        raise UserError(
            f"{path} is damaged: it does not match its own digest, so it was changed after it was "
            "exported; export the cell again."
        )
    return tensors, typed(Exported, facts)


def _digest(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an encoder and of what its file says of it."""
    described = {
        name: (str(t.dtype), list(t.shape), bytes_digest(t.contiguous().numpy().tobytes()))
        for name, t in tensors.items()
    }
    return digest({"facts": facts, "tensors": described})
