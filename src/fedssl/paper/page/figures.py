"""Embed figures in the page: small ones as SVG, large ones as a smaller picture."""

import base64
import io
from pathlib import Path
from typing import Any

from fedssl.files import read_json

# The page embeds every figure, so a picture replaces an SVG that is larger than this.
_SVG_BYTES = 80_000
_WIDTH = 1400  # pixels of a picture


def figure_content(svg: str | Path, record: str | Path) -> dict[str, Any]:
    """Return the name and title of a figure, its picture as a data URI, and its files' folder."""
    svg = Path(svg)
    # An image element runs no script and loads nothing, unlike an inlined SVG.
    if svg.stat().st_size <= _SVG_BYTES:
        picture = data_uri("image/svg+xml", svg.read_bytes())
    else:
        picture = data_uri("image/webp", _shrunk(svg.with_suffix(".png")))
    return {
        "name": svg.stem,
        "anchor": f"{svg.stem}.jobs",
        "record": str(record),
        "title": read_json(record)["settings"]["title"],
        "picture": picture,
        "folder": svg.parent.name,
        "files": [svg.with_suffix(f".{kind}").name for kind in ("pdf", "svg", "png")],
    }


def data_uri(mime: str, content: bytes) -> str:
    """Return a data URI, which embeds a file in the page."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _shrunk(png: Path) -> bytes:
    from PIL import Image

    with Image.open(png) as full:
        width = min(full.width, _WIDTH)
        size = (width, round(full.height * width / full.width))
        # 64 colours are enough for a figure and make lossless WebP small.
        small = full.convert("RGB").resize(size).quantize(64).convert("RGB")
    stream = io.BytesIO()
    small.save(stream, format="webp", lossless=True)
    return stream.getvalue()
