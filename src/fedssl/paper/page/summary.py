"""The head of the page: the run in numbers, and what the filters offer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fedssl.grid.cell import AXES
from fedssl.paper.verdict import Verdict

Record = dict[str, Any]
# A variant is a name of its study, and says nothing across tables.
_FILTERS = tuple(axis for axis in AXES if axis != "variant")


def coverage(tables: Iterable[Mapping[str, Any]]) -> dict[str, list[Record]]:
    """Return how many numbers have each verdict: of those the papers print, and of all others."""
    cells = [cell for table in tables for cell in _cells(table)]
    printed = [cell for cell in cells if cell["published"] is not None]
    others = [cell for cell in cells if cell["published"] is None]
    return {"printed": _verdict_counts(printed), "others": _verdict_counts(others)}


def _verdict_counts(cells: Iterable[Record]) -> list[Record]:
    """Return the counts in the order of `Verdict`, absent ones left out; `share` in percent."""
    found = Counter(cell["verdict"] for cell in cells)
    total = sum(found.values())
    return [
        {"verdict": verdict, "count": found[verdict], "share": 100 * found[verdict] / total}
        for verdict in Verdict
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
        for axis in _FILTERS
    }
    found = {cell["verdict"] for table in tables for cell in _cells(table)}
    return {**offered, "verdict": [verdict for verdict in Verdict if verdict in found]}


def _cells(table: Mapping[str, Any]) -> Iterable[Record]:
    return (cell for row in table["rows"] for cell in row["cells"] if cell)
