"""Find the numbers that a paper's tables print for the points of a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fedssl.paper.published import KEY, heading, read_published
from fedssl.paper.rows import row_axes

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

Keys = list[list[str]]


def published_points(plan: Plan, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return `row`, `column` and `keys` of the numbers of a table that other tables print.

    A key is what `read_published` calls `KEY`. Another table prints a number if it has a row of the
    same cell and a column of the same tasks and protocol.
    """
    points = (
        {
            "row": row["row"],
            "column": heading(column["column"], protocol),
            "keys": list(_keys(plan, table, row_axes(row), set(column["tasks"]), protocol)),
        }
        for row in table["rows"]
        for column in table["columns"]
        for protocol in table["protocols"]
    )
    return [point for point in points if point["keys"]]


def _keys(
    plan: Plan, table: Mapping[str, Any], axes: Mapping[str, str], tasks: set[str], protocol: str
) -> Iterator[list[str]]:
    others = (
        (other, row)
        for other in plan.grid.config["tables"].values()
        for row in other["rows"]
        if other is not table and other["study"] == table["study"]
    )
    for other, row in others:
        if row_axes(row) != axes or row.get("random_init", False):
            continue
        for column in other["columns"]:
            protocols = [column["protocol"]] if "protocol" in column else other["protocols"]
            if set(column["tasks"]) == tasks and protocol in protocols:
                names = (str(other["table"]), row["row"], column["column"])
                yield [table["study"], *names, protocol]


def published_values(files: Sequence[str], keys: Keys) -> list[float]:
    """Return the values of those keys that the files have."""
    numbers = read_published(files).set_index(list(KEY))["value"]
    return [float(numbers[tuple(key)]) for key in keys if tuple(key) in numbers.index]
