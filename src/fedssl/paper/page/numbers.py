"""A paper's table as the page shows it: rows down, columns across, each number with its jobs."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.paper.intervals import measured_again, source_of, split_heading
from fedssl.paper.markup import column_order, number_text
from fedssl.paper.metrics import Metric, read_metric
from fedssl.paper.page.jobs import Jobs

AXES = ("method", "arch", "aggregator", "split")
_SEED = re.compile(r"/seed(\d+)[/.]")
Record = dict[str, Any]


def read_table(csv: str | Path, jobs: Jobs, *, axes: Mapping[str, Mapping[str, str]]) -> Record:
    """Return a table's title, header and rows, and `numbers`: what the jobs say of each cell.

    Args:
        csv: A table with the columns of `fedssl.paper.products.table.COLUMNS`; its inputs are in
            the provenance record with the same stem.
        jobs: Collects the jobs behind the numbers.
        axes: Method, arch, aggregator and split of each row that has them.
    """
    csv = Path(csv)
    frame = pd.read_csv(csv, dtype={"table": str}, keep_default_na=False, na_values=[""])
    spec = read_json(csv.with_suffix(".provenance.json"))["settings"]
    records = {(record["row"], record["column"]): record for record in _records(frame)}
    columns = column_order(frame)
    rows = list(dict.fromkeys(frame["row"]))
    slugs = _slugs(csv.stem, records)
    cells = {key: _cell(record, slugs[key], spec) for key, record in records.items()}
    return {
        "name": csv.stem,
        "study": spec["study"],
        "title": f"{_kind(spec['table'])}: {spec['title']}",
        "groups": _groups(columns),
        "headings": columns,
        "columns": [split_heading(column)[0] for column in columns],
        "rows": [
            {
                "row": row,
                "axes": axes.get(row, {}),
                "cells": [cells.get((row, column)) for column in columns],
            }
            for row in rows
        ],
        "n_eval": [_n_evals(frame, column) for column in columns],
        "numbers": {
            slugs[key]: _detail(record, cells[key], spec, jobs=jobs)
            for key, record in records.items()
            if record["measured"] is not None
        },
    }


def _kind(table: str) -> str:
    """Return "Table 2" for 2, "Figure 3" for figure3, and "Prose" for what no table holds."""
    if not table:
        return "Prose"
    name, number = re.fullmatch(r"(\D*)(.*)", table).groups()  # type: ignore[union-attr]
    return f"{name.capitalize() or 'Table'} {number}".strip()


def seed_of(path: str) -> str | None:
    """Return the seed that a path of the results tree names, None where it names none."""
    match = _SEED.search(path)
    return match[1] if match else None


def _records(frame: pd.DataFrame) -> list[Record]:
    """Return the rows, None for what is empty."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _slugs(table: str, records: Mapping[tuple[str, str], Record]) -> dict[tuple[str, str], str]:
    """Return an anchor for each number, the same as long as its names stay."""
    taken: set[str] = set()
    slugs = {}
    for key in records:
        words = [re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in (table, *key)]
        slug = base = ".".join(words)
        while slug in taken:
            slug = f"{base}.{len(taken)}"
        taken.add(slug)
        slugs[key] = slug
    return slugs


def _groups(columns: list[str]) -> list[Record]:
    """Return the runs of columns that share a protocol."""
    groups: list[Record] = []
    for column in columns:
        _, protocol = split_heading(column)
        if not groups or groups[-1]["protocol"] != protocol:
            groups.append({"protocol": protocol, "span": 0})
        groups[-1]["span"] += 1
    return groups


def _n_evals(frame: pd.DataFrame, column: str) -> str:
    counts = sorted(frame.loc[frame["column"] == column, "n_eval"].dropna().unique())
    return " / ".join(f"{int(count):,}" for count in counts)


def _cell(record: Record, slug: str, spec: Mapping[str, Any]) -> Record:
    kept = ("published", "measured", "delta", "verdict")
    measurement = None if record["measured"] is None else measured_again(record, spec)
    interval = measurement.interval if measurement else None
    half_width = measurement.half_width if measurement else None
    return {
        "slug": slug,
        **{name: record[name] for name in kept},
        "text": _text(record, "measured"),
        "published_text": _text(record, "published"),
        "half_width": None if half_width is None else round(half_width, 4),
        "interval": None if interval is None else [round(end, 4) for end in interval],
    }


def _text(record: Record, name: str) -> str | None:
    return None if record[name] is None else number_text(record[name], record["column"])


def _detail(record: Record, cell: Record, spec: Mapping[str, Any], *, jobs: Jobs) -> Record:
    """Return what the page says of a number beyond its cell: the seeds and their jobs."""
    source = source_of(record, spec)
    paths = record["cell"].split()
    return {
        "column": record["column"],
        "std": record["std"],
        "n_seeds": record["n_seeds"],
        "n_eval": record["n_eval"],
        "interval": cell["interval"],
        "runs": list(_runs(*source, jobs=jobs)) if source else [_run(paths, [], jobs=jobs)],
    }


def _runs(cells: list[Record], protocol: str, tasks: list[str], *, jobs: Jobs) -> Iterator[Record]:
    """Yield, for each seed that has every task, its pretraining and its scores."""
    for cell in cells:
        paths = cell["metrics"].get(protocol, {})
        if not all(task in paths and Path(paths[task]).is_file() for task in tasks):
            continue
        scores = [read_metric(paths[task], task=task, protocol=protocol) for task in tasks]
        models = cell["cell"].split() if cell["cell"] else []
        scored = list(zip(tasks, scores, strict=True))
        yield _run(models, scored, jobs=jobs, protocol=protocol)


def _value(metric: Metric, protocol: str) -> Record:
    rounds = {"round": True} if protocol == "chosen-round" else {}
    return {"value": round(metric.value, 4), **rounds}


def _run(
    outputs: list[str], scores: list[tuple[str, Metric]], *, jobs: Jobs, protocol: str = ""
) -> Record:
    """Return a seed's steps: the files made, each with its job, and what they scored."""
    paths = [*outputs, *(str(metric.path) for _, metric in scores)]
    made = [jobs.step(path) for path in outputs]
    scored = [
        jobs.step(metric.path, scored=task, n_eval=metric.n_eval, **_value(metric, protocol))
        for task, metric in scores
    ]
    return {"seed": next(iter(map(seed_of, paths)), None), "steps": [*made, *scored]}
