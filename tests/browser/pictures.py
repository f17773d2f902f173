"""Take the pictures of the documentation from a finished demo: `make pictures`."""

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.chromium import chromium

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "results/demo"
PAGE, FIGURE = DEMO / "report/index.html", DEMO / "figures/fassl_rounds.png"
PICTURES = ROOT / "docs/img"
_SIZE = {"width": 1200, "height": 1250}


def main() -> None:
    """Write the first screen of the report page, and one figure."""
    for file in (PAGE, FIGURE):
        if not file.is_file():
            sys.exit(f"{file.relative_to(ROOT)} is missing; run `make demo` first.")
    PICTURES.mkdir(exist_ok=True)
    write(first_screen(PAGE), PICTURES / "report.png")
    write(FIGURE.read_bytes(), PICTURES / "figure.png")


def first_screen(page: Path) -> bytes:
    """Return a PNG of the upper part of a page."""
    found = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.program, env=os.environ | found.env, args=["--no-sandbox"]
        )
        opened = browser.new_page(viewport=_SIZE, color_scheme="light")
        opened.goto(page.as_uri())
        picture = opened.screenshot()
        browser.close()
    return picture


def write(png: bytes, path: Path) -> None:
    """Write a PNG of at most 1,200 pixels in each direction and 256 colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail((1200, 1200))
    # The usual method drops colours of few pixels, such as those of points and lines.
    image.quantize(256, method=Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


if __name__ == "__main__":
    main()
