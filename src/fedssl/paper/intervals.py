"""The 95 % intervals of a table's numbers: from the files it was made of, as its record names."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.paper.measurement import Measurement, measure
from fedssl.paper.published import PROTOCOL_LABELS

Record = Mapping[str, Any]
# The longest label first: "best R@1" ends with "R@1".
_PROTOCOLS = {
    PROTOCOL_LABELS[protocol]: protocol
    for protocol in sorted(PROTOCOL_LABELS, key=lambda name: -len(PROTOCOL_LABELS[name]))
}


def read_with_intervals(csv: str | Path) -> pd.DataFrame:
    """Return a table's CSV with the column `half_width`, in points, NaN where nothing was measured.

    The table's record stands beside it.
    """
    frame = pd.read_csv(csv, dtype={"table": str})
    spec = read_json(Path(csv).with_suffix(".provenance.json"))["settings"]
    records = frame.to_dict("records")
    widths = [_half_width(record, spec) for record in records]
    return frame.assign(half_width=pd.Series(widths, dtype="float64"))


def measured_again(record: Record, spec: Record) -> Measurement | None:
    """Return a number of a table from its metric files, None where its table names none."""
    source = source_of(record, spec)
    if source is None:
        return None
    cells, protocol, tasks = source
    return measure(cells, protocol, tasks=tasks)


def source_of(record: Record, spec: Record) -> tuple[list[dict[str, Any]], str, list[str]] | None:
    """Return the cells, protocol and tasks of a number, None where its table names none."""
    name, protocol = split_heading(record["column"])
    for row in _mappings(spec["rows"]):
        for column in _mappings(spec["columns"]):
            same = (row["row"], column["column"], column["protocol"])
            if same == (record["row"], name, protocol):
                return row["cells"], column.get("score", protocol), column["tasks"]
    return None


def split_heading(column: str) -> tuple[str, str]:
    """Return a table CSV's column as task and protocol: "C-10 L.P" is C-10, linear-probe."""
    for label, protocol in _PROTOCOLS.items():
        if column.endswith(f" {label}"):
            return column.removesuffix(f" {label}"), protocol
    return column, ""


def _half_width(record: Mapping[Any, Any], spec: Record) -> float | None:
    measured = None if pd.isna(record["measured"]) else measured_again(record, spec)
    return measured.half_width if measured else None


def _mappings(items: Iterable[Any]) -> Iterator[dict[str, Any]]:
    return (item for item in items if isinstance(item, dict))
