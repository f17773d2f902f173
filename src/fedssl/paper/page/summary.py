"""Summarise the run for the head of the page, and list the choices of its filters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fedssl.grid.cell import AXES
from fedssl.paper.verdict import Verdict

Record = dict[str, Any]
# The same variant can mean something else in another study, so there is no filter for it.
_FILTERS = tuple(axis for axis in AXES if axis != "variant")


def coverage(tables: Iterable[Mapping[str, Any]]) -> dict[str, list[Record]]:
    """Return the number of cells with each verdict: of printed numbers, of others, and of all."""
    cells = [cell for table in tables for cell in _cells(table)]
    printed = [cell for cell in cells if cell["published"] is not None]
    others = [cell for cell in cells if cell["published"] is None]
    return {
        "printed": _verdict_counts(printed),
        "others": _verdict_counts(others),
        "all": _verdict_counts(cells),
    }


def _verdict_counts(cells: Iterable[Record]) -> list[Record]:
    """Return the counts above 0 in the order of `Verdict`; `share` is in percent."""
    found = Counter(cell["verdict"] for cell in cells)
    total = sum(found.values())
    return [
        {"verdict": verdict, "count": found[verdict], "share": 100 * found[verdict] / total}
        for verdict in Verdict
        if found[verdict]
    ]


def run_summary(jobs: Sequence[Mapping[str, Any]], commits: Sequence[Mapping[str, Any]]) -> Record:
    """Return the number of jobs, first and last start, hours in total, and jobs per commit."""
    starts = sorted(job["started"] for job in jobs)
    by_commit = Counter(job["git"] for job in jobs)
    return {
        "jobs": len(jobs),
        "first": starts[0] if starts else None,
        "last": starts[-1] if starts else None,
        "hours": sum(job["seconds"] for job in jobs) / 3600,
        "commits": [{**commits[place], "jobs": count} for place, count in by_commit.most_common()],
    }


def choices(
    tables: Iterable[Mapping[str, Any]], claims: Iterable[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return the choices of each filter: the values of the axes in use, and the verdicts.

    The verdicts are those of the numbers, then those of the claims.
    """
    tables = list(tables)
    offered = {
        axis: sorted(
            {row["axes"][axis] for table in tables for row in table["rows"] if axis in row["axes"]}
        )
        for axis in _FILTERS
    }
    found = {cell["verdict"] for table in tables for cell in _cells(table)}
    offered["verdict"] = [
        *(verdict for verdict in Verdict if verdict in found),
        *dict.fromkeys(claim["published"] for claim in claims),
    ]
    # A filter with one choice would filter nothing.
    return {name: values for name, values in offered.items() if len(values) > 1}


def _cells(table: Mapping[str, Any]) -> Iterable[Record]:
    return (cell for row in table["rows"] for cell in row["cells"] if cell)
