"""Read the cells of the papers' tables, with the values of their seeds, for the tests of claims."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.frames import read_csv
from fedssl.paper.seeds import Seeds, read_seeds
from fedssl.paper.tables import COLUMNS
from fedssl.paper.verdict import Verdict
from fedssl.paper.verdicts.contrast import Key, Measurements, Printed
from fedssl.paper.verdicts.seed_spread import Group, Series, fit_noise


@dataclass
class PaperCells:
    """The measured cells of a paper's tables, and those that only the paper has.

    `scaled` are the cells of a scaled run. `untrained` are random inits: seeds of trained encoders
    scatter differently, so these do not count in the noise.
    """

    cells: dict[Key, Series | Printed] = field(default_factory=dict)
    scaled: set[Key] = field(default_factory=set)
    untrained: set[Key] = field(default_factory=set)

    def measurements(self) -> Measurements:
        """Return the cells with the noise of their seeds."""
        trained = (
            cell
            for key, cell in self.cells.items()
            if isinstance(cell, Series) and key not in self.untrained
        )
        return Measurements(self.cells, fit_noise(trained))


def measured_cells(tables: Iterable[str | Path]) -> dict[str, PaperCells]:
    """Return paper -> its cells, from table CSVs and their seeds files.

    A row that is only quoted (verdict published-only) is one run of the paper.

    Raises:
        UserError: A CSV lacks a column of a table, or a number lacks its seeds.
    """
    papers: dict[str, PaperCells] = {}
    for path in tables:
        frame = read_csv(path, dtype={name: str for name in ("table", "task", "protocol")})
        lacking = [column for column in COLUMNS if column not in frame]
        if lacking:
            raise UserError(f"{path} lacks the columns {', '.join(lacking)}; write it again.")
        seeds = read_seeds(path)
        frame = frame.fillna({"table": "", "task": "", "protocol": ""})
        for record in frame.to_dict("records"):
            _add(papers.setdefault(record["study"], PaperCells()), record, seeds, path)
    return papers


def _add(
    paper: PaperCells,
    record: Mapping[Any, Any],
    seeds: Mapping[tuple[str, str], Seeds],
    path: str | Path,
) -> None:
    """Add a row of a table's CSV, unless it was not run."""
    key = record["table"], record["row"], record["column"]
    # A silhouette is of no single task, and each kind of silhouette scatters by itself.
    group = Group(record["task"] or record["column"], record["protocol"])
    if record["verdict"] == Verdict.PUBLISHED_ONLY:
        paper.cells[key] = Printed(group, record["published"])
        return
    if pd.isna(record["measured"]):
        return
    own = seeds.get((record["row"], record["column"]))
    if own is None:
        raise UserError(
            f"{path} has a number for {record['row']}, {record['column']}, but its seeds file "
            "does not; write the table again."
        )
    model = _model(own.models)
    paper.cells[key] = Series(model or record["row"], group, own.values)
    if not model:
        paper.untrained.add(key)
    if record["verdict"] == Verdict.SCALED:
        paper.scaled.add(key)


def _model(models: Mapping[str, Sequence[str]]) -> str:
    """Return a name that the seeds of a model share; empty for a random init, which has no file."""
    for seed, paths in models.items():
        return " ".join(path.replace(f"/seed{seed}/", "/") for path in paths)
    return ""
