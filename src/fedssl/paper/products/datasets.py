"""Table 1 of FSSUAVL: the published size of each dataset next to what its bank holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.data.banks.bank import read_facts
from fedssl.files import atomic_write, write_text
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.text_table import TextTable, scale_mark, scale_notes, to_latex, to_markdown
from fedssl.paper.verdict import Verdict

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

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


def names(_plan: Plan) -> dict[str, str]:
    """Return the one table, which belongs to no study: its banks are those of all."""
    return {"datasets": ""}


def spec(plan: Plan, _name: str) -> dict[str, Any]:
    """Return the published numbers of every dataset, and the banks that are counted."""
    entries = plan.grid.config["datasets"].items()
    datasets = [_dataset(name, entry, plan.paths.bank(name)) for name, entry in entries]
    return {**plan.grid.scale, "datasets": datasets}


def inputs(plan: Plan, _name: str) -> dict[str, list[str]]:
    """Return the banks that the studies use, and further ones that exist already."""
    used = plan.grid.used_datasets()
    banks = {name: plan.paths.bank(name) for name in plan.grid.config["datasets"]}
    read = [bank for name, bank in banks.items() if name in used or Path(bank).is_file()]
    return {"banks": read}


def write(spec: Spec, files: Files) -> None:
    """Write CSV, Markdown and LaTeX."""
    write_datasets(spec, **files)


def write_datasets(
    spec: Mapping[str, Any], *, csv: str | Path, md: str | Path, tex: str | Path
) -> None:
    """Write the table as CSV, Markdown and LaTeX; `spec` is what `build_datasets` takes."""
    frame = build_datasets(spec)
    table = text_table(frame, spec)
    with atomic_write(csv) as path:
        frame.to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(table))
    write_text(tex, to_latex(table, label="tab:datasets"))


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


def text_table(frame: pd.DataFrame, spec: Mapping[str, Any]) -> TextTable:
    """Return a row a dataset: what was counted, what is published, and notes on both."""
    rows = [_text_row(rows) for _, rows in frame.groupby("dataset", sort=False)]
    legend = "Samples that the run's banks hold (published)."
    return TextTable(
        title=f"fssuavl, table 1: datasets, published and counted{scale_mark(spec)}",
        header=_HEADER,
        rows=tuple(rows),
        footer=(),
        notes=(legend, *scale_notes(spec), *_notes(frame)),
    )


def _text_row(rows: pd.DataFrame) -> tuple[str, ...]:
    records = {record["column"]: record for record in rows.to_dict("records")}
    cells = (_cell(records.get(column)) for column in ("classes", *_SPLITS))
    return (str(rows["row"].iloc[0]), *cells)


def _cell(record: Mapping[Any, Any] | None) -> str:
    if record is None:
        return "—"
    published = "" if pd.isna(record["published"]) else f" ({record['published']:,})"
    if record["verdict"] == Verdict.NOT_RUN:
        return f"not run{published}"
    dagger = "†" if record["verdict"] == Verdict.SCALED else ""
    return f"{record['counted']:,}{dagger}{published}"


def _notes(frame: pd.DataFrame) -> Iterator[str]:
    """Yield what explains a dataset's numbers: its note, then what its bank lacks."""
    for _, rows in frame.groupby("dataset", sort=False):
        name, note = rows["row"].iloc[0], rows["note"].iloc[0]
        unexplained = rows.loc[rows["verdict"] == Verdict.DIFFERS, "column"]
        if pd.notna(note) and note:
            yield f"{name}: {note}"
        elif len(unexplained):
            yield f"{name}: {', '.join(unexplained)} not explained."
        absent, unreadable = rows["absent"].sum(), rows["unreadable"].max()
        if absent or (pd.notna(unreadable) and unreadable):
            yield f"{name}: {absent:,} labelled members are absent, {unreadable:,} unreadable."


PRODUCT = Product(
    names=names,
    spec=spec,
    inputs=inputs,
    tables=("csv", "md", "tex"),
    write=write,
    columns=COLUMNS,
    shown="rows",
    text_table=text_table,
    is_target=False,  # its target is datasets_table, because a rule has the other name
)
