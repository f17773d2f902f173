"""Annotations of made-up clips, their download, and what it leaves."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.fetch.clip_download import download_clips
from tests.unit.clip_server import Clips
from tests.unit.sounds import encoded, tone

RATE = 8_000
# 14 s; from second 2 on a higher tone, so that a wrong cut is heard.
SOUND = encoded(
    np.concatenate([tone(300, seconds=2, rate=RATE), tone(600, seconds=12, rate=RATE)]), rate=RATE
)
IDS = ["-XxUW9gW6mc", "_547JTmvb9g", "AbCdEfGhIjK", "zzzzzzzzzzz"]
SETTINGS = {
    "workers": 2,
    "pause_seconds": 0.0,
    "tries": 2,
    "timeout_seconds": 5,
    "rate_limit": None,
}


def annotations(folder: Path, ids: list[str], *, start: int = 2) -> Path:
    """Write a CSV file with a class name that contains a comma."""
    lines = [f'{clip},{start},"bird chirping, tweeting",train' for clip in ids]
    (folder / "vggsound.csv").write_text("\n".join(lines) + "\n")
    return folder / "vggsound.csv"


def download(folder: Path, server: Clips, *, suffix: str = "wav", **changes: Any) -> dict[str, Any]:
    return download_clips(
        folder / "vggsound.csv",
        folder / "clips",
        listing=folder / "clips.txt",
        manifest=folder / "clips.csv",
        settings={**SETTINGS, "url": server.url(suffix), **changes},
    )


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "clips.csv").open(newline="") as file:
        return {row["clip"][:-7]: row for row in csv.DictReader(file)}


def wavs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "clips").glob("*.wav")}
