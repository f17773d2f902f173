"""Summarise a shards file: a small picture of the class histogram, and a few numbers."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedssl.files import read_json
from fedssl.paper.page.figures import data_uri

_LEVELS = 16  # of shade, four bits per pixel
_COLOUR = (47, 116, 192)  # readable on the light and the dark page


def shards_summary(path: str | Path) -> dict[str, Any]:
    """Return the facts of a shards file, and its class histogram as a picture.

    `samples` and `classes_held` are the smallest, median and largest value over clients.
    """
    shards = read_json(path)
    histogram = np.asarray(shards["histogram"])
    return {
        "path": str(path),
        **{key: shards[key] for key in ("dataset", "sharding", "seed", "digest", "dropped")},
        "small_clients": len(shards["small_clients"]),
        "clients": histogram.shape[0],
        "classes": histogram.shape[1],
        "samples": _spread(histogram.sum(axis=1)),
        "classes_held": _spread((histogram > 0).sum(axis=1)),
        "largest": int(histogram.max()),
        "picture": histogram_picture(histogram),
    }


def histogram_picture(histogram: NDArray[Any]) -> str:
    """Return a PNG as a data URI: one row per client and one column per class.

    A stronger shade means more samples. Only empty entries are blank.
    """
    from PIL import Image

    # With linear shades a client's single samples would not be visible next to hundreds.
    share = np.sqrt(histogram / max(1, histogram.max()))
    levels = np.ceil(share * (_LEVELS - 1)).astype(np.uint8)
    picture = Image.fromarray(levels, mode="P")
    # All levels have one colour and differ in opacity, so that the page's background shows.
    picture.putpalette(_COLOUR * _LEVELS)
    alphas = bytes(255 * level // (_LEVELS - 1) for level in range(_LEVELS))
    stream = io.BytesIO()
    picture.save(stream, format="png", bits=4, transparency=alphas, optimize=True)
    return data_uri("image/png", stream.getvalue())


def _spread(values: NDArray[Any]) -> list[float]:
    return [float(values.min()), float(np.median(values)), float(values.max())]
