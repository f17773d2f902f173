"""Store a few samples of a bank in small, so that the report page can show them."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import SAMPLE_RATE, Bank
from fedssl.files import write_json
from fedssl.randomness import stream

_SAMPLES = 12  # of each split
_PIXELS = 64  # at most, on the longer side of a picture
_QUALITY = 80
_COLUMNS = 60  # of a waveform
_LEVELS = 100  # of a waveform, on each side of silence


def write_examples(bank: Bank, path: str | Path, *, splits: Iterable[str]) -> None:
    """Write random samples of some splits as JSON: `modality`, `classes` and `samples`.

    Each sample has its `position` in the bank and its `label`. An image has a `picture`, a JPEG as
    a data URI. A sound has its `seconds` and a `wave`: the lowest and the highest value of each of
    60 parts, from -100 to 100, relative to its largest value.
    """
    drawn = [position for split in splits for position in _draw(bank, split)]
    samples = [
        {"position": position, "label": int(bank.labels[position]), **_shown(bank, position)}
        for position in drawn
    ]
    facts = {"dataset": bank.dataset, "modality": bank.modality, "classes": list(bank.classes)}
    write_json(path, {**facts, "samples": samples})


def _draw(bank: Bank, split: str) -> list[int]:
    """Return the sorted positions of a few samples, which do not depend on any model."""
    positions = bank.indices(split)
    rng = stream(0, f"examples of {bank.dataset} {split}")
    count = min(_SAMPLES, len(positions))
    return sorted(map(int, rng.choice(positions, size=count, replace=False)))


def _shown(bank: Bank, position: int) -> dict[str, Any]:
    if bank.offsets is None:
        return {"picture": picture(np.asarray(bank.rows.take(np.array([position])))[0])}
    length = int(bank.offsets[position + 1] - bank.offsets[position])
    at = np.array([bank.offsets[position]])
    frames = bank.rows.frames(at, np.array([0]), np.array([length]), length=length)
    return {"seconds": round(length / SAMPLE_RATE, 2), "wave": wave(np.asarray(frames)[0])}


def picture(image: np.ndarray) -> str:
    """Return an image, (H, W, 1 or 3) uint8, as a small JPEG in a data URI."""
    from PIL import Image

    small = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
    small.thumbnail((_PIXELS, _PIXELS))
    stream = io.BytesIO()
    small.save(stream, format="jpeg", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def wave(sound: np.ndarray) -> list[list[int]]:
    """Return the lowest and the highest value of each part of a sound, (samples,)."""
    values = sound.astype(np.float64)
    values *= _LEVELS / (abs(values).max(initial=0) or 1.0)
    parts = np.array_split(values, min(_COLUMNS, max(1, len(values))))
    return [[round(part.min(initial=0)), round(part.max(initial=0))] for part in parts]
