"""A paper's table as the page shows it: rows down, columns across, each number with its jobs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.grid.paths import record_of
from fedssl.paper.metrics import Metric, read_metric
from fedssl.paper.page.jobs import Jobs
from fedssl.paper.published import label_of
from fedssl.paper.seeds import Seeds, read_seeds
from fedssl.paper.text_table import column_order, number_text

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
    spec = read_json(record_of(csv))["settings"]
    seeds = read_seeds(csv)
    records = {(record["row"], record["column"]): record for record in _records(frame)}
    columns = column_order(frame)
    rows = list(dict.fromkeys(frame["row"]))
    slugs = _slugs(csv.stem, records)
    cells = {key: _cell(record, slugs[key]) for key, record in records.items()}
    protocols = dict(zip(frame["column"], frame["protocol"], strict=True))
    return {
        "name": csv.stem,
        "study": spec["study"],
        "title": f"{_kind(spec['table'])}: {spec['title']}",
        "groups": _groups([label_of(protocols[column]) for column in columns]),
        "headings": columns,
        "columns": [column.removesuffix(f" {label_of(protocols[column])}") for column in columns],
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
            slugs[key]: _detail(record, cells[key], seeds.get(key), jobs=jobs)
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


def _groups(labels: list[str]) -> list[Record]:
    """Return the runs of columns that share a protocol."""
    return [{"protocol": label, "span": len(list(columns))} for label, columns in groupby(labels)]


def _n_evals(frame: pd.DataFrame, column: str) -> str:
    counts = sorted(frame.loc[frame["column"] == column, "n_eval"].dropna().unique())
    return " / ".join(f"{int(count):,}" for count in counts)


def _cell(record: Record, slug: str) -> Record:
    kept = ("published", "measured", "delta", "verdict")
    low, high = record["low"], record["high"]
    return {
        "slug": slug,
        **{name: record[name] for name in kept},
        "text": _text(record, "measured"),
        "published_text": _text(record, "published"),
        "half_width": None if low is None else (high - low) / 2,
        "interval": None if low is None else [low, high],
    }


def _text(record: Record, name: str) -> str | None:
    return None if record[name] is None else number_text(record[name], record["protocol"])


def _detail(record: Record, cell: Record, seeds: Seeds | None, *, jobs: Jobs) -> Record:
    """Return what the page says of a number beyond its cell: the seeds and their jobs."""
    return {
        "column": record["column"],
        "std": record["std"],
        "n_seeds": record["n_seeds"],
        "n_eval": record["n_eval"],
        "interval": cell["interval"],
        "runs": list(_runs(seeds, record["protocol"], jobs=jobs)) if seeds else [],
    }


def _runs(seeds: Seeds, protocol: str, *, jobs: Jobs) -> Iterator[Record]:
    """Yield, for each seed, its pretraining and its scores."""
    for seed in seeds.values:
        scores = [
            (task, read_metric(path, task=task, protocol=protocol))
            for task, path in seeds.scores.get(seed, {}).items()
        ]
        yield _run(seed, seeds.models[seed], scores, jobs=jobs, protocol=protocol)


def _value(metric: Metric, protocol: str) -> Record:
    rounds = {"round": True} if protocol == "chosen-round" else {}
    return {"value": round(metric.value, 4), **rounds}


def _run(
    seed: str,
    models: Sequence[str],
    scores: Sequence[tuple[str, Metric]],
    *,
    jobs: Jobs,
    protocol: str,
) -> Record:
    """Return a seed's steps: the files made, each with its job, and what they scored."""
    made = [jobs.step(path) for path in models]
    scored = [
        jobs.step(metric.path, scored=task, n_eval=metric.n_eval, **_value(metric, protocol))
        for task, metric in scores
    ]
    return {"seed": seed, "steps": [*made, *scored]}
