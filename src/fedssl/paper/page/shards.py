"""Who holds what: a shards file as a small picture and a few numbers."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedssl.files import read_json

_LEVELS = 16  # of shade: four bits a pixel
_COLOUR = (47, 116, 192)  # legible on white and on black


def shards_summary(path: str | Path) -> dict[str, Any]:
    """Return what a shards file says of the clients, and their class histogram as a picture.

    `samples` and `classes_held` are the smallest, median and largest over clients.
    """
    shards = read_json(path)
    histogram = np.asarray(shards["histogram"])
    return {
        "path": str(path),
        "dataset": shards["dataset"],
        "sharding": shards["sharding"],
        "seed": shards["seed"],
        "digest": shards["digest"],
        "dropped": shards["dropped"],
        "small_clients": len(shards["small_clients"]),
        "clients": histogram.shape[0],
        "classes": histogram.shape[1],
        "samples": _spread(histogram.sum(axis=1)),
        "classes_held": _spread((histogram > 0).sum(axis=1)),
        "largest": int(histogram.max()),
        "picture": histogram_picture(histogram),
    }


def histogram_picture(histogram: NDArray[Any]) -> str:
    """Return a PNG as a data URI: a row per client, a column per class, darker for more samples.

    Shades follow the square root, so that a client's single samples show next to its hundreds; only
    an empty entry is blank.
    """
    from PIL import Image

    share = np.sqrt(histogram / max(1, histogram.max()))
    levels = np.ceil(share * (_LEVELS - 1)).astype(np.uint8)
    picture = Image.fromarray(levels, mode="P")
    picture.putpalette(_COLOUR * _LEVELS)
    alphas = bytes(255 * level // (_LEVELS - 1) for level in range(_LEVELS))
    stream = io.BytesIO()
    picture.save(stream, format="png", bits=4, transparency=alphas, optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _spread(values: NDArray[Any]) -> list[float]:
    return [float(values.min()), float(np.median(values)), float(values.max())]
