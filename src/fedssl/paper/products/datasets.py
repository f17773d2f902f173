"""Table 1 of FSSUAVL: the published size of each dataset next to the size of its bank.

For own studies, it has the sizes of their datasets only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.data.banks.bank import read_facts
from fedssl.paper.products.product import Axes, Files, Product, Spec
from fedssl.paper.table_footers import EMPTY
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, write_table_files
from fedssl.paper.verdict import Verdict

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

_NUMBERS = ("published", "counted", "difference", "absent", "unreadable")
COLUMNS = ("study", "table", "dataset", "row", "column", *_NUMBERS, "verdict", "note", "bank")
_SPLITS = ("train", "validation", "test")


def names(_plan: Plan) -> dict[str, str]:
    """Return the one table; it belongs to no study because all studies share the banks."""
    return {"datasets": ""}


def spec(plan: Plan, _name: str) -> dict[str, Any]:
    """Return the published numbers and the bank of every dataset; of own studies only theirs."""
    used = plan.used_datasets
    datasets = [
        _dataset(name, entry, plan.paths.bank(name))
        for name, entry in plan.config["datasets"].items()
        if plan.papers or name in used
    ]
    own = not plan.papers
    return {"title": _title(own), **plan.grid.scale, "own": own, "datasets": datasets}


def _title(own: bool) -> str:
    return "datasets" if own else "fssuavl, table 1: datasets, published and counted"


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the banks that the studies use, and further banks that exist already."""
    # All banks as inputs would download and build datasets that no study uses.
    used = plan.used_datasets
    banks = {entry["name"]: entry["bank"] for entry in spec(plan, name)["datasets"]}
    return {"banks": [b for dataset, b in banks.items() if dataset in used or Path(b).is_file()]}


def axes(plan: Plan, name: str) -> Axes:
    """Return the dataset of each row."""
    return {entry["row"]: {"dataset": entry["name"]} for entry in spec(plan, name)["datasets"]}


def write(spec: Spec, files: Files) -> None:
    """Write the table as CSV, Markdown and LaTeX."""
    frame = build_datasets(spec)
    write_table_files(frame, text_table(frame, spec), files, label="tab:datasets")


def build_datasets(spec: Spec) -> pd.DataFrame:
    """Return one row per dataset and number: its classes, and its samples by split.

    `counted` is the number in the bank, `absent` the number of labelled members of the split that
    the archives lack, and `unreadable` the number of damaged members in all splits. `verdict` is
    equal, differs, scaled (not compared), not-run (no bank) or, at paper scale,
    no-published-number.

    Args:
        spec: scale, scale_note, and `datasets`: each with name, row, bank (path), splits, note and
            `published` (column -> number).

    Raises:
        UserError: A bank exists but cannot be read.
    """
    # Table 1 is FSSUAVL's, and a user's own datasets are in no paper.
    table = (
        {"study": "", "table": ""} if spec.get("own", False) else {"study": "fssuavl", "table": "1"}
    )
    records = [
        {**table, **_record(dataset, column, facts, spec["scale"])}
        for dataset in spec["datasets"]
        for facts in [_facts(dataset["bank"])]
        for column in ("classes", *dataset["splits"])
    ]
    frame = pd.DataFrame.from_records(records, columns=list(COLUMNS))
    # Int64 keeps counts next to missing values whole; pandas would write them as floats.
    return frame.astype(dict.fromkeys(_NUMBERS, "Int64"))


def _dataset(name: str, entry: Mapping[str, Any], bank: str) -> dict[str, Any]:
    published = entry.get("published", {})
    symbol = published.get("symbol")
    return {
        "name": name,
        "row": f"{entry['title']} ({symbol})" if symbol else entry["title"],
        "bank": bank,
        "splits": list(entry["splits"]),
        "note": published.get("differences"),
        "published": published.get("numbers", {}),
    }


def _facts(bank: str) -> dict[str, Any] | None:
    """Return the content of a bank's description; None if the bank is not built."""
    return read_facts(Path(bank).parent) if Path(bank).is_file() else None


def _record(
    dataset: Mapping[str, Any], column: str, facts: Mapping[str, Any] | None, scale: str
) -> dict[str, Any]:
    published = dataset["published"].get(column)
    record = {
        "dataset": dataset["name"],
        "row": dataset["row"],
        "column": column,
        "published": published,
        "note": dataset["note"] or "",
        "bank": dataset["bank"],
    }
    if facts is None:
        return record | {"verdict": Verdict.NOT_RUN}
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
        return Verdict.SCALED
    if difference is None:
        return Verdict.UNPUBLISHED
    return Verdict.DIFFERS if difference else "equal"


def text_table(frame: pd.DataFrame, spec: Spec) -> TextTable:
    """Return the counted and published numbers as text, one row per dataset, with notes."""
    # A user's own splits can have any name.
    splits = (
        [c for c in frame["column"].unique() if c != "classes"]
        if spec.get("own", False)
        else _SPLITS
    )
    own = spec.get("own", False)
    published = "" if own else " (published number)"
    legend = f"Number of samples in the run's banks{published}."
    return TextTable(
        title=f"{_title(own)}{scale_mark(spec)}",
        caption=legend,
        header=("dataset", "classes counted", *(f"{split} counted" for split in splits)),
        rows=tuple(_text_row(rows, splits) for _, rows in frame.groupby("dataset", sort=False)),
        notes=(legend, *scale_notes(spec), *_notes(frame)),
    )


def _text_row(rows: pd.DataFrame, splits: Iterable[str]) -> tuple[str, ...]:
    records = {record["column"]: record for record in rows.to_dict("records")}
    cells = (_cell(records.get(column)) for column in ("classes", *splits))
    return (str(rows["row"].iloc[0]), *cells)


def _cell(record: Mapping[Any, Any] | None) -> str:
    if record is None:
        return EMPTY
    published = "" if pd.isna(record["published"]) else f" ({record['published']:,})"
    if record["verdict"] == Verdict.NOT_RUN:
        return f"not run{published}"
    dagger = "†" if record["verdict"] == Verdict.SCALED else ""
    return f"{record['counted']:,}{dagger}{published}"


def _notes(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the notes on each dataset: why its numbers differ, and what its bank lacks."""
    for _, rows in frame.groupby("dataset", sort=False):
        name, note = rows["row"].iloc[0], rows["note"].iloc[0]
        unexplained = rows.loc[rows["verdict"] == Verdict.DIFFERS, "column"]
        if pd.notna(note) and note:
            yield f"{name}: {note}"
        elif len(unexplained):
            yield f"{name}: the difference in {', '.join(unexplained)} is not explained."
        absent, unreadable = rows["absent"].sum(), rows["unreadable"].max()
        if absent or (pd.notna(unreadable) and unreadable):
            yield f"{name}: {absent:,} labelled members are absent, {unreadable:,} unreadable."


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md", "html", "tex"),
    write=write,
    shown="rows",
    text_table=text_table,
    axes=axes,
    # A rule has the name `datasets` already, so the target is called `datasets_table`.
    is_target=False,
)
