"""The section of the certificate on what was not run, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.paper import run_facts
from fedssl.paper.text_table import markdown
from fedssl.paper.verdict import Verdict

Tables = Mapping[str, pd.DataFrame]  # name -> its rows


def not_run(
    spec: Mapping[str, Any],
    records: Mapping[str, run_facts.Record],
    tables: Tables,
    published: pd.DataFrame,
) -> list[str]:
    """Return what the run lacks, as lines of Markdown: tables, rows, columns and pretrainings."""
    known = {(study, table) for f in tables.values() for study, table in _names(f)}
    # Numbers from the prose have no table, so no configuration can lack it.
    printed = [name for name in _names(published) if name not in known and name[1]]
    lacking = [f"{study} table {table}" for study, table in dict.fromkeys(printed)]
    lines = [line for name, frame in tables.items() for line in _reasons(name, frame)]
    if lacking:
        lines.append(f"{', '.join(lacking)}: this configuration has no such table.")
    missing = [Path(name).parent.as_posix() for name in spec["cells"] if name not in records]
    if missing:
        lines.append(f"declared pretrainings without a record: {', '.join(missing)}.")
    return [f"- {markdown(line)}" for line in lines] or ["Nothing."]


def _names(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["study"], frame["table"], strict=True))


def _reasons(name: str, frame: pd.DataFrame) -> list[str]:
    """Return one line for each reason why a table lacks measured numbers."""
    # Name whole rows first, then whole columns of the other rows: a list of all single numbers
    # would be hundreds of lines.
    lacking = frame[frame["verdict"] == Verdict.NOT_RUN]
    rows = _all_of(lacking, frame, axis="row")
    columns = _all_of(lacking, frame[~frame["row"].isin(rows)], axis="column")
    single = lacking[~lacking["row"].isin(rows) & ~lacking["column"].isin(columns)]
    quoted = frame.loc[frame["verdict"] == Verdict.PUBLISHED_ONLY, "row"]
    reasons: dict[str, list[str]] = {
        "rows not measured in this run": rows,
        "columns not measured in this run": columns,
        "single numbers not measured": [
            f"{row} ({', '.join(part['column'])})"
            for row, part in single.groupby("row", sort=False)
        ],
        "rows quoted from other papers, which are never rerun": list(dict.fromkeys(quoted)),
    }
    return [f"{name}, {reason}: {', '.join(found)}." for reason, found in reasons.items() if found]


def _all_of(lacking: pd.DataFrame, frame: pd.DataFrame, *, axis: str) -> list[str]:
    """Return the rows or columns of a table that have no measured number."""
    ran = frame.loc[~frame.index.isin(lacking.index), axis]
    return [name for name in dict.fromkeys(frame[axis]) if name not in set(ran)]
