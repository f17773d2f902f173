"""What stands at the head and the foot of the page: where it is from, and what is missing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.paper.page.numbers import AXES
from fedssl.record.read import record_behind

VERDICTS = ("reproduced", "differs", "no-published-number", "scaled", "not-run", "published-only")
Record = dict[str, Any]


def coverage(tables: Iterable[Mapping[str, Any]]) -> dict[str, list[Record]]:
    """Return how many numbers have each verdict: of those the papers print, and of all others."""
    cells = [cell for table in tables for cell in _cells(table)]
    printed = [cell for cell in cells if cell["published"] is not None]
    others = [cell for cell in cells if cell["published"] is None]
    return {"printed": _verdict_counts(printed), "others": _verdict_counts(others)}


def _verdict_counts(cells: Iterable[Record]) -> list[Record]:
    """Return the counts in the order of `VERDICTS`, absent ones left out; `share` in percent."""
    found = Counter(cell["verdict"] for cell in cells)
    total = sum(found.values())
    return [
        {"verdict": verdict, "count": found[verdict], "share": 100 * found[verdict] / total}
        for verdict in VERDICTS
        if found[verdict]
    ]


def run_summary(jobs: Sequence[Mapping[str, Any]], commits: Sequence[Mapping[str, Any]]) -> Record:
    """Return number of jobs, first and last start, hours of computing, and jobs per commit."""
    starts = sorted(job["started"] for job in jobs)
    by_commit = Counter(job["git"] for job in jobs)
    return {
        "jobs": len(jobs),
        "first": starts[0] if starts else None,
        "last": starts[-1] if starts else None,
        "hours": sum(job["seconds"] for job in jobs) / 3600,
        "commits": [{**commits[place], "jobs": count} for place, count in by_commit.most_common()],
    }


def choices(tables: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what each filter offers: the axes' values in use, and the verdicts."""
    tables = list(tables)
    offered = {
        axis: sorted(
            {row["axes"][axis] for table in tables for row in table["rows"] if axis in row["axes"]}
        )
        for axis in AXES
    }
    found = {cell["verdict"] for table in tables for cell in _cells(table)}
    return {**offered, "verdict": [verdict for verdict in VERDICTS if verdict in found]}


def not_run(tables: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Return, for each table with numbers that were not run, its rows and their columns."""
    found = []
    for table in tables:
        rows = [
            {"row": row["row"], "columns": columns, "all": len(columns) == len(row["cells"])}
            for row in table["rows"]
            if (columns := _missing(table, row))
        ]
        if rows:
            count = sum(len(row["columns"]) for row in rows)
            numbers = sum(1 for _ in _cells(table))
            found.append({"table": table, "rows": rows, "count": count, "numbers": numbers})
    return found


def missing_cells(models: Iterable[str]) -> list[str]:
    """Return the declared cells, by the path of their model, that no record says were trained."""
    return [model for model in models if record_behind(model) is None or not Path(model).is_file()]


def _missing(table: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    headings = table["headings"]
    return [
        heading
        for heading, cell in zip(headings, row["cells"], strict=True)
        if cell and cell["verdict"] == "not-run"
    ]


def _cells(table: Mapping[str, Any]) -> Iterable[Record]:
    return (cell for row in table["rows"] for cell in row["cells"] if cell)
