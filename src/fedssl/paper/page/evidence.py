"""Find the jobs behind rows and figures that are no single number of a paper's table."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.files import read_json
from fedssl.grid.paths import RECORD, samples_of
from fedssl.paper.page.jobs import Jobs

Record = dict[str, Any]
_SEED = re.compile(r"/seed(\d+)[/.]")


def row_panels(tables: Iterable[Record], jobs: Jobs) -> dict[str, Record]:
    """Return anchor -> what the panel of a row shows, for the rows that rest on files."""
    panels = {}
    for table in tables:
        inputs = _inputs(table)
        for row in table["rows"]:
            files = row_files(inputs, row["axes"], tasks=row.get("tasks", "").split())
            if files and not row["unrun"]:
                facts = {"title": row["row"], "about": table["title"], "target": table["name"]}
                panels[row["anchor"]] = {**facts, "runs": runs_behind(files, jobs)}
    return panels


def figure_panels(figures: Iterable[Record], jobs: Jobs) -> dict[str, Record]:
    """Return anchor -> what the panel of a figure shows: the jobs of all files that it draws."""
    panels = {}
    for figure in figures:
        # The paper's numbers were made by no job.
        files = [name for name in _inputs(figure) if jobs.record(name)]
        if files:
            name = figure["name"]
            facts = {"title": name.replace("_", " "), "about": figure["title"], "target": name}
            panels[figure["anchor"]] = {**facts, "runs": runs_behind(files, jobs)}
    return panels


def row_files(
    files: Iterable[str], axes: Mapping[str, str], *, tasks: Iterable[str] = ()
) -> list[str]:
    """Return the files of a row's pretrainings, and of the same encoders before training.

    Args:
        files: Input files of the job that wrote the table.
        axes: Axes of the row. A row that compares pretrainings has several values on an axis.
        tasks: Tasks of the row; empty for all.
    """
    wanted = [set(value.split()) for value in axes.values()]
    before = [set(axes.get(axis, "").split()) for axis in ("arch", "variant")]
    found = []
    for file in files:
        parts = set(Path(file).parts)
        is_own = wanted and all(
            values & parts for values in (before if "random-init" in parts else wanted)
        )
        if is_own and (not tasks or parts & set(tasks)):
            found.append(file)
    return found


def runs_behind(files: Iterable[str], jobs: Jobs) -> list[Record]:
    """Return the steps of each seed: the models that the files were made with, then the files."""
    by_seed: dict[str | None, dict[str, None]] = {}
    # A copy of the results may lack files that its records name.
    for file in sorted(filter(os.path.isfile, files)):
        seed = found[1] if (found := _SEED.search(file)) else None
        record = jobs.record(file)
        inputs = record.content["inputs"] if record else ()
        models = [name for name in inputs if name.endswith("/model.safetensors")]
        by_seed.setdefault(seed, {}).update(dict.fromkeys([*models, file]))
    return [
        {"seed": seed, "steps": [_step(path, jobs) for path in sorted(steps, key=_models_first)]}
        for seed, steps in by_seed.items()
    ]


def _inputs(product: Record) -> list[str]:
    """Return the files that a product was made from, without those that lead to no job anew."""
    inputs = read_json(product["record"])["inputs"]
    # Each output leads to its record (a time line reads those of all jobs), and each score to its
    # predictions.
    samples = {samples_of(name) for name in inputs if name.endswith(".json")}
    return [name for name in inputs if not name.endswith(RECORD) and name not in samples]


def _models_first(path: str) -> tuple[bool, str]:
    return not path.endswith(".safetensors"), path


def _step(path: str, jobs: Jobs) -> int:
    score = read_json(path) if path.endswith(".json") else {}
    if {"task", "value", "n_eval"} <= set(score):
        facts = {"scored": score["task"], "protocol": score["protocol"], "n_eval": score["n_eval"]}
        return jobs.step(path, **facts, value=round(score["value"], 4))
    return jobs.step(path)
