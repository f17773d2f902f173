"""A user's own files, and the bank or the error that they give."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from fedssl.data.banks.bank import Bank, open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.banks.settings import OwnFiles
from fedssl.data.own.dataset_entry import with_own_datasets
from fedssl.errors import UserError
from fedssl.grid.configuration import Layer
from tests.unit.sounds import encoded, tone

FOLDER = OwnFiles("folder", "audio", test_share=0.25)
IMAGES = OwnFiles("folder", "image", test_share=0.25, size=32)
TABLE = OwnFiles("table", "audio")


def sound(path: Path, *, hz: float = 440) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(tone(hz, seconds=0.05)))
    return path


def by_class(folder: Path, *, classes: str = "ab", each: int = 8) -> Path:
    for label in classes:
        for take in range(each):
            sound(folder / label / f"{take}.wav", hz=300 + take)
    return folder


def bank(own: OwnFiles, source: Path, folder: Path, **changes: Any) -> Bank:
    _, entry = completed({own.kind: str(source), **changes}, modality=own.modality)
    build_bank("mine", {own.kind: source}, folder, entry={**entry, "own": asdict(own)})
    return open_bank(folder)


def completed(keys: dict[str, Any], *, modality: str = "audio") -> tuple[str, dict[str, Any]]:
    entry = {"modality": modality, **keys}
    layers = [Layer("my.yaml", {"datasets": {"mine": entry}})]
    config = with_own_datasets({"datasets": {"mine": entry}}, layers)
    return layers[0].name, config["datasets"]["mine"]


def refused(keys: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        completed(keys)
    return str(caught.value)


def csv(folder: Path, *rows: str, header: str = "path,label,split") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "my.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "my.csv"
