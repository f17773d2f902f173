"""Write the comparison of `fedssl diff` as one HTML file with the styles of the report page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.files import write_text
from fedssl.grid.settings_diff import ABSENT, Change

_TEMPLATES = Path(__file__).parent / "templates"


def write_diff_page(
    path: str | Path,
    *,
    names: tuple[str, str],
    parts: Mapping[str, Sequence[tuple[Change, list[str]]]],
    only: Mapping[str, Sequence[str]],
    compared: int,
    hardware: bool,
) -> None:
    """Write the page.

    Args:
        path: File of the page.
        names: The two cells or results folders as they were given.
        parts: Changes of each part, each with the jobs that have it.
        only: Jobs that only one side has.
        compared: Number of jobs that both sides have.
        hardware: Whether the hardware differs.
    """
    from fedssl.paper.page.style import templates_in

    page = (
        templates_in(_TEMPLATES)
        .get_template("diff.html")
        .render(
            before=names[0],
            after=names[1],
            parts={name: [_row(name, *found) for found in part] for name, part in parts.items()},
            only=only,
            compared=compared,
            hardware=hardware,
        )
    )
    write_text(path, page)


def _row(part: str, change: Change, jobs: list[str]) -> dict[str, Any]:
    return {
        **change._asdict(),
        "jobs": jobs,
        "difference": _points(change) if part == "scores" else None,
    }


def _points(change: Change) -> float | None:
    """Return by how many points a score, such as "38.89 of 90", changed; None without one side."""
    sides = (change.before, change.after)
    if ABSENT in sides:
        return None
    before, after = (float(side.partition(" of ")[0]) for side in sides)
    return after - before
