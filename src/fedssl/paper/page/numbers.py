"""Read a paper's table for the page: its cells, and the jobs behind each number."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_csv
from fedssl.grid.paths import record_of
from fedssl.paper.claims.evidence import cell_name
from fedssl.paper.metrics import read_metric
from fedssl.paper.page.jobs import Jobs
from fedssl.paper.published import label_of
from fedssl.paper.seeds import Seeds, read_seeds
from fedssl.paper.table_footers import chance_text, rank_text
from fedssl.paper.text_table import column_order, number_text
from fedssl.paper.verdict import Verdict

Record = dict[str, Any]
_CONTEXT = ("chance", "random_init", "flags", "seed_sd", "seeds_needed", "reason")


def read_table(
    csv: str | Path,
    jobs: Jobs,
    *,
    axes: Mapping[str, Mapping[str, str]],
    notes: Mapping[tuple[str, ...], str],
) -> Record:
    """Return the title, header and rows of a table, and under `numbers` the jobs of each cell.

    Args:
        csv: A CSV with the columns `fedssl.paper.tables.COLUMNS`. Its seeds file and its provenance
            record lie next to it.
        jobs: Collects the jobs behind the numbers.
        axes: Method, arch, aggregator and split of each row that has them.
        notes: (study, table, row, column) -> note on a published number.
    """
    csv = Path(csv)
    # A row may be called "NA" or "None", which pandas would read as missing.
    frame = read_csv(csv, dtype={"table": str}, keep_default_na=False, na_values=[""])
    spec = read_json(record_of(csv))["settings"]
    own = spec.get("own", False)
    seeds = read_seeds(csv)
    records = {(record["row"], record["column"]): record for record in _records(frame)}
    columns = column_order(frame)
    protocols = dict(zip(frame["column"], frame["protocol"], strict=True))
    labels = [label_of(protocols[column]) for column in columns]
    slugs = _slugs((csv.stem, *key) for key in records)
    rows = list(dict.fromkeys(frame["row"]))
    anchors = _slugs((csv.stem, row) for row in rows)
    place = (spec["study"], str(spec["table"]))
    cells = {
        key: {**_cell(record, slugs[csv.stem, *key]), "note": notes.get((*place, *key))}
        for key, record in records.items()
    }
    return {
        "name": csv.stem,
        "study": spec["study"],
        "own": own,
        "title": spec["title"] if own else f"{_kind(spec['table'])}: {spec['title']}",
        "groups": [{"protocol": k, "span": len(list(group))} for k, group in groupby(labels)],
        "headings": columns,
        "labels": labels,
        "columns": [c.removesuffix(f" {label}") for c, label in zip(columns, labels, strict=True)],
        "rows": [
            {
                "row": row,
                "anchor": anchors[csv.stem, row],
                "axes": axes.get(row, {}),
                **_row([cells.get((row, column)) for column in columns]),
            }
            for row in rows
        ],
        "places": {cell_name((spec["table"], *key)): cells[key]["slug"] for key in records},
        "n_eval": [_n_evals(frame, column) for column in columns],
        "chance": [chance_text(frame[frame["column"] == column]) for column in columns],
        "ranks": [rank_text(frame[frame["column"] == column]) for column in columns]
        if frame["tau"].notna().any()
        else [],
        "numbers": {
            cells[key]["slug"]: _detail(record, cells[key], seeds.get(key), jobs=jobs)
            for key, record in records.items()
            if record["measured"] is not None
        },
    }


def _kind(table: str) -> str:
    """Return "Table 2" for 2, "Figure 3" for figure3, and "Prose" if the number is empty."""
    if not table:
        return "Prose"
    name, number = re.fullmatch(r"(\D*)(.*)", table).groups()  # type: ignore[union-attr]
    return f"{name.capitalize() or 'Table'} {number}".strip()


def _records(frame: pd.DataFrame) -> list[Record]:
    """Return the rows, with None for empty cells."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _slugs(names: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Return the anchor of each name; it stays the same while the parts of a name do."""
    taken: set[str] = set()
    slugs = {}
    for name in names:
        words = [re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in name]
        slug = base = ".".join(words)
        # "A+V" and "A V" have the same slug, so a number is appended.
        while slug in taken:
            slug = f"{base}.{len(taken)}"
        taken.add(slug)
        slugs[name] = slug
    return slugs


def _row(cells: list[Record | None]) -> Record:
    """Return the cells of a row, and whether none of its numbers was ever run."""
    return {
        "cells": cells,
        "unrun": all(cell["verdict"] == Verdict.NOT_RUN for cell in cells if cell),
    }


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
    """Return what the dialog of a number shows: its statistics, seeds and jobs."""
    low = record["predicted_low"]
    return {
        **{name: record[name] for name in ("column", "std", "n_seeds", "n_eval", *_CONTEXT)},
        "interval": cell["interval"],
        "predicted": None if low is None else [low, record["predicted_high"]],
        "runs": list(_runs(seeds, record["protocol"], jobs=jobs)) if seeds else [],
    }


def _runs(seeds: Seeds, protocol: str, *, jobs: Jobs) -> Iterator[Record]:
    """Yield the steps of each seed: its models and its scores, each with its job."""
    rounds = {"round": True} if protocol == "chosen-round" else {}
    for seed in seeds.values:
        steps = [jobs.step(path) for path in seeds.models[seed]]
        for task, path in seeds.scores.get(seed, {}).items():
            metric = read_metric(path, task=task, protocol=protocol)
            value = round(metric.value, 4)
            steps.append(jobs.step(path, scored=task, n_eval=metric.n_eval, value=value, **rounds))
        yield {"seed": seed, "steps": steps}
