"""Export the encoder of a finished cell: a safetensors file and a model card."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.exported.card import card
from fedssl.exported.file import write_file
from fedssl.exported.load import untrained
from fedssl.federation.checkpoint import load_state
from fedssl.files import read_json, sha256, write_text
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid
from fedssl.record.read import Record, shown

_TRAINING = "pretrain/"
_STATISTICS = "normalisation/"
# As for the datasets of users: see `fedssl.data.own.settings`.
_SIZE, _SOUND = 128, "int16"


@dataclass(frozen=True)
class FinishedCell:
    """A pretrained cell: its records, by their path without the cell, its grid and its scores."""

    cell: Cell
    grid: Grid
    records: Mapping[str, Record]
    scores: Sequence[Mapping[str, Any]]

    @property
    def training(self) -> Record:
        """The record of the pretraining."""
        found = (own for name, own in self.records.items() if name.startswith(_TRAINING))
        if (record := next(found, None)) is None:
            raise UserError(f"{self.cell.path} has scores, but no record of its pretraining.")
        return record

    @property
    def datasets(self) -> dict[str, Mapping[str, Any]]:
        """The declared entry of the pretraining set of each modality."""
        names = self.grid.datasets(self.cell)
        return {modality: self.grid.config["datasets"][name] for modality, name in names.items()}


def export(found: FinishedCell, path: Path) -> Path:
    """Write the encoder of a cell to `path` and its model card next to it; return the card's path.

    Raises:
        UserError: The cell is not pretrained, or a file differs from its record.
    """
    model = _output(found.training, "model.safetensors")
    state, facts = load_state(model), _facts(found, model)
    # Without what some methods add to the global model, such as a predictor.
    names = untrained(facts["encoder"], facts["method"]).state_dict()
    write_file(path, {name: state[name] for name in names}, facts)
    text = path.with_suffix(".md")
    write_text(text, card(facts, datasets=found.datasets, scores=found.scores, file=path.name))
    return text


def _facts(found: FinishedCell, model: Path) -> dict[str, Any]:
    """Return the content of `Exported` as plain data."""
    settings, datasets = found.training.settings, found.datasets
    evaluated = [r.settings for name, r in found.records.items() if name.startswith("evaluate/")]
    threads = (own["threads"] for own in (*evaluated, settings) if "threads" in own)
    return {
        **{name: settings[name] for name in ("encoder", "method", "image", "audio", "portable")},
        "statistics": _statistics(found.records.values()),
        "trained_on": found.grid.datasets(found.cell),
        "threads": next(threads),
        # Archives have no such entry: their images are stored as they are.
        "size": datasets.get("image", {}).get("size") or _SIZE,
        "sound": datasets.get("audio", {}).get("dtype") or _SOUND,
        "provenance": _provenance(found, model),
    }


def _provenance(found: FinishedCell, model: Path) -> dict[str, Any]:
    content = found.training.content
    return {
        "cell": found.cell.path,
        "model_sha256": sha256(model),
        "record": content["digest"],
        "commit": content["git"]["commit"],
        "uncommitted_edits": content["git"]["dirty"],
        "started": content["started"],
        "hardware": content["hardware"]["gpu"] or content["hardware"]["cpu"],
        "packages": content["packages"],
        "settings": content["settings"],
        **found.grid.scale,
    }


def _statistics(records: Iterable[Record]) -> dict[str, float] | None:
    """Return the spectrogram statistics that a job of the cell read; None if none did."""
    for record in records:
        for path, recorded in record.files("inputs").items():
            if shown(path, record.root).startswith(_STATISTICS):
                _verify(path, recorded)
                content = read_json(path)
                return {name: content[name] for name in ("mean", "std")}
    return None


def _output(record: Record, name: str) -> Path:
    """Return an output of a job, after verifying it."""
    path, recorded = next(item for item in record.files("outputs").items() if item[0].name == name)
    _verify(path, recorded)
    return path


def _verify(path: Path, recorded: str) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing; `fedssl repair` says how to make it again.")
    if sha256(path) != recorded:
        raise UserError(
            f"{path} differs from the file that its job recorded; `fedssl repair` says how to make "
            "it again."
        )
