"""Table 1 of FSSUAVL: what the paper says of each dataset beside what the banks hold."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.data.banks.bank import read_facts
from fedssl.files import atomic_write, write_text
from fedssl.paper.markup import Grid, scale_mark, scale_notes, to_latex, to_markdown

COLUMNS = (
    "study",
    "table",
    "dataset",
    "row",
    "column",
    "published",
    "counted",
    "difference",
    "absent",
    "unreadable",
    "verdict",
    "note",
    "bank",
)
_NUMBERS = ("published", "counted", "difference", "absent", "unreadable")
_SPLITS = ("train", "validation", "test")
_HEADER = ("dataset", "classes counted", *(f"{split} counted" for split in _SPLITS))


def write_datasets(
    spec: Mapping[str, Any], *, csv: str | Path, md: str | Path, tex: str | Path
) -> None:
    """Write the table as CSV, Markdown and LaTeX; `spec` is what `build_datasets` takes."""
    frame = build_datasets(spec)
    grid = datasets_grid(frame, spec)
    with atomic_write(csv) as path:
        frame.to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(grid))
    write_text(tex, to_latex(grid, label="tab:datasets"))


def build_datasets(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per dataset and number: its classes, and its samples by split.

    `counted` is what the bank holds, `absent` the labelled members of that split that are not
    there, `unreadable` the bad ones of all splits. `verdict` is equal, differs, scaled (never
    compared), not-run (no bank) or, at paper scale, no-published-number.

    Args:
        spec: scale, scale_note, and `datasets`: each with name, row, bank (path), splits, note and
            `published`, column -> number.

    Raises:
        UserError: a bank is there and cannot be read.
    """
    records = [
        _record(dataset, column, facts, spec["scale"])
        for dataset in spec["datasets"]
        for facts in [_facts(dataset["bank"])]
        for column in ("classes", *dataset["splits"])
    ]
    frame = pd.DataFrame.from_records(records, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(_NUMBERS, "Int64"))


def _facts(bank: str) -> dict[str, Any] | None:
    """Return what a bank says of itself, None where it is not built."""
    return read_facts(Path(bank).parent) if Path(bank).is_file() else None


def _record(
    dataset: Mapping[str, Any], column: str, facts: Mapping[str, Any] | None, scale: str
) -> dict[str, Any]:
    published = dataset["published"].get(column)
    record = {
        "study": "fssuavl",
        "table": "1",
        "dataset": dataset["name"],
        "row": dataset["row"],
        "column": column,
        "published": published,
        "note": dataset["note"] or "",
        "bank": dataset["bank"],
    }
    if facts is None:
        return record | {"verdict": "not-run"}
    classes = column == "classes"
    counted = len(facts["classes"]) if classes else facts["counts"].get(column, 0)
    absent = facts.get("absent", {"counts": {}})["counts"].get(column, 0)
    difference = counted - published if scale == "paper" and published is not None else None
    return record | {
        "counted": counted,
        "difference": difference,
        "absent": None if classes else absent,
        "unreadable": None if classes else len(facts["bad"]),
        "verdict": _verdict(scale, difference),
    }


def _verdict(scale: str, difference: int | None) -> str:
    if scale != "paper":
        return "scaled"
    if difference is None:
        return "no-published-number"
    return "differs" if difference else "equal"


def datasets_grid(frame: pd.DataFrame, spec: Mapping[str, Any]) -> Grid:
    """Return a row a dataset: what was counted, what is published, and notes on both."""
    rows = [_grid_row(rows) for _, rows in frame.groupby("dataset", sort=False)]
    legend = "Samples that the run's banks hold (published)."
    return Grid(
        title=f"fssuavl, table 1: datasets, published and counted{scale_mark(spec)}",
        header=_HEADER,
        rows=tuple(rows),
        footer=(),
        notes=(legend, *scale_notes(spec), *_notes(frame)),
    )


def _grid_row(rows: pd.DataFrame) -> tuple[str, ...]:
    records = {record["column"]: record for record in rows.to_dict("records")}
    cells = (_cell(records.get(column)) for column in ("classes", *_SPLITS))
    return (str(rows["row"].iloc[0]), *cells)


def _cell(record: Mapping[Any, Any] | None) -> str:
    if record is None:
        return "—"
    published = "" if pd.isna(record["published"]) else f" ({record['published']:,})"
    if record["verdict"] == "not-run":
        return f"not run{published}"
    dagger = "†" if record["verdict"] == "scaled" else ""
    return f"{record['counted']:,}{dagger}{published}"


def _notes(frame: pd.DataFrame) -> Iterator[str]:
    """Yield what explains a dataset's numbers: its note, then what its bank lacks."""
    for _, rows in frame.groupby("dataset", sort=False):
        name, note = rows["row"].iloc[0], rows["note"].iloc[0]
        unexplained = rows.loc[rows["verdict"] == "differs", "column"]
        if pd.notna(note) and note:
            yield f"{name}: {note}"
        elif len(unexplained):
            yield f"{name}: {', '.join(unexplained)} not explained."
        absent, unreadable = rows["absent"].sum(), rows["unreadable"].max()
        if absent or (pd.notna(unreadable) and unreadable):
            yield f"{name}: {absent:,} labelled members are absent, {unreadable:,} unreadable."
