"""Figures inside the page: as they are where they are small, else as a smaller picture."""

import base64
import io
from pathlib import Path
from typing import Any

from fedssl.files import read_json

_SVG_BYTES = 80_000
_WIDTH = 1400  # pixels, of a picture
_MIME = {"svg": "image/svg+xml", "webp": "image/webp"}


def figure_content(svg: str | Path, record: str | Path) -> dict[str, Any]:
    """Return a figure's name, title, picture as a data URI, and its other files.

    An image element runs no script and loads nothing, so the drawing cannot reach the page.
    """
    svg = Path(svg)
    return {
        "name": svg.stem,
        "title": read_json(record)["settings"]["title"],
        "picture": _picture(svg),
        "files": [svg.with_suffix(f".{kind}").name for kind in ("pdf", "svg", "png")],
    }


def _picture(svg: Path) -> str:
    if svg.stat().st_size <= _SVG_BYTES:
        return _data_uri("svg", svg.read_bytes())
    return _data_uri("webp", _shrunk(svg.with_suffix(".png")))


def _shrunk(png: Path) -> bytes:
    from PIL import Image

    with Image.open(png) as full:
        width = min(full.width, _WIDTH)
        size = (width, round(full.height * width / full.width))
        small = full.convert("RGB").resize(size).quantize(64).convert("RGB")
    stream = io.BytesIO()
    small.save(stream, format="webp", lossless=True)
    return stream.getvalue()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{_MIME[kind]};base64,{base64.b64encode(content).decode()}"
