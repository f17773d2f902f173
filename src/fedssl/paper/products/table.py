"""A paper's table: every published number beside the measured one, with a verdict."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import atomic_write, write_text
from fedssl.paper.markup import table_grid, to_latex, to_markdown, with_column
from fedssl.paper.measurement import Measurement, measure
from fedssl.paper.parameters import parameter_column
from fedssl.paper.published import PROTOCOL_LABELS, read_published
from fedssl.paper.seeds import table_seeds, write_seeds

COLUMNS = (
    "study",
    "table",
    "row",
    "column",
    "published",
    "measured",
    "std",
    "n_seeds",
    "n_eval",
    "delta",
    "verdict",
    "cell",
)
_TOLERANCE = 1.0  # points: within this a number is reproduced however many samples it rests on
DTYPES = {
    "published": "float64",
    "measured": "float64",
    "std": "float64",
    "n_seeds": "Int64",
    "n_eval": "Int64",
    "delta": "float64",
}
Numbers = Mapping[tuple[str, str, str], float]  # (row, column, protocol) -> percent


def write_table(
    spec: Mapping[str, Any],
    *,
    published: Iterable[str | Path],
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    seeds: str | Path,
) -> None:
    """Write a table as CSV (rounded to four decimals), Markdown and LaTeX, and its seeds.

    Args:
        spec: What `build_table` takes.
        published: Files of published numbers, none for what the paper does not print; those of
            other tables are left out.
        csv: Where the CSV goes.
        md: Where the Markdown goes.
        tex: Where the LaTeX goes.
        seeds: Where what each seed measured goes, `.seeds.json` in place of the CSV's suffix.
    """
    numbers = _of_table(spec, read_published(published))
    frame = build_table(spec, published=numbers)
    notes, parameters = _notes(numbers), parameter_column(spec)
    write_frame(frame, spec, notes=notes, csv=csv, md=md, tex=tex, parameters=parameters)
    write_seeds(table_seeds(spec), seeds)


def write_frame(
    frame: pd.DataFrame,
    spec: Mapping[str, Any],
    *,
    notes: Iterable[str],
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Write the rows of a table, as `build_table` returns them, in its three forms.

    `parameters` has a text for each row where the table has such a column.
    """
    grid = with_column(table_grid(frame, spec, notes=notes), "parameters", parameters or {})
    with atomic_write(csv) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(grid))
    write_text(tex, to_latex(grid, label=f"tab:{spec['study']}-{spec['table']}"))


def build_table(spec: Mapping[str, Any], *, published: pd.DataFrame) -> pd.DataFrame:
    """Return one row per row and column of the table, with the columns `COLUMNS`.

    Values are percent at full precision. `n_eval` of an average is the sum over its tasks. A
    verdict is one of reproduced (|delta| no more than half of the 95 % interval's width over
    samples and seeds, or 1 point if that is more), differs, scaled,
    not-run, published-only and, at paper scale, no-published-number. Published columns that `spec`
    does not measure follow as not-run.

    Args:
        spec: study, table, title, scale, scale_note, columns and rows with their metric files, and
            which published numbers are `not_held_to`: they are shown and decide nothing.
        published: Numbers as `read_published` returns them, of any tables.

    Raises:
        UserError: A metric file is not what the table expects of it, or at paper scale a
            published number is of a row that the table does not have.
    """
    numbers = {
        (record["row"], record["column"], record["protocol"]): record["value"]
        for record in _of_table(spec, published).to_dict("records")
    }
    if spec["scale"] == "paper":
        _check_rows(spec, numbers)
    columns = [*spec["columns"], *_published_columns(spec, numbers)]
    records = [
        record
        for row in spec["rows"]
        for column in columns
        if (record := _record(spec, row, column=column, numbers=numbers)) is not None
    ]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(DTYPES)


def _of_table(spec: Mapping[str, Any], published: pd.DataFrame) -> pd.DataFrame:
    same = (published["study"] == spec["study"]) & (published["table"] == str(spec["table"]))
    rows: pd.DataFrame = published.loc[same]
    return rows


def _notes(published: pd.DataFrame) -> list[str]:
    return [
        f"{record['row']}, {_heading(record)}: {record['note']}"
        for record in published.to_dict("records")
        if record["note"]
    ]


def _heading(column: Mapping[Any, Any]) -> str:
    return f"{column['column']} {PROTOCOL_LABELS[column['protocol']]}"


def _check_rows(spec: Mapping[str, Any], numbers: Numbers) -> None:
    """Refuse a published row that a mistyped name would leave out of the table."""
    rows = [row["row"] for row in spec["rows"]]
    for row, _, _ in numbers:
        if row not in rows:
            raise UserError(
                f"The published row '{row}' has no place in {spec['study']} table {spec['table']}; "
                f"its rows are {', '.join(rows)}."
            )


def _published_columns(spec: Mapping[str, Any], numbers: Numbers) -> list[dict[str, Any]]:
    """Return the columns that the paper has and `spec` does not, in the paper's order."""
    measured = {(column["column"], column["protocol"]) for column in spec["columns"]}
    printed = dict.fromkeys((column, protocol) for _, column, protocol in numbers)
    return [
        {"column": column, "protocol": protocol, "tasks": []}
        for column, protocol in printed
        if (column, protocol) not in measured
    ]


def _record(
    spec: Mapping[str, Any],
    row: Mapping[str, Any],
    *,
    column: Mapping[str, Any],
    numbers: Numbers,
) -> dict[str, Any] | None:
    """Return one row of the table; None for what the paper does not have and nobody can measure.

    That is a number that a published-only row did not publish, or one that a row's encoder lacks.
    """
    published = numbers.get((row["row"], column["column"], column["protocol"]))
    record = {
        "study": spec["study"],
        "table": str(spec["table"]),
        "row": row["row"],
        "column": _heading(column),
        "published": published,
    }
    if row.get("published_only", False):
        record |= {"n_seeds": 0, "verdict": "published-only", "cell": ""}
        return None if published is None else record
    if published is None and column.get("score") in row.get("lacks", ()):
        return None
    cells = row["cells"] if row["declared"] else []
    score = column.get("score", column["protocol"])
    measured = measure(cells, score, tasks=column["tasks"])
    if measured is None:
        paths = [cell["cell"] for cell in cells if column["tasks"] and cell["cell"]]
        return record | {"n_seeds": 0, "verdict": "not-run", "cell": " ".join(paths)}
    place = {"row": row["row"], "column": column["column"], "protocol": column["protocol"]}
    held_to = None if place in spec["not_held_to"] else published
    return record | _measured(measured, held_to, scale=spec["scale"])


def _measured(measured: Measurement, published: float | None, *, scale: str) -> dict[str, Any]:
    delta = None
    if scale != "paper":
        verdict = "scaled"
    elif published is None:
        verdict = "no-published-number"
    else:
        delta = measured.value - published
        within = abs(delta) <= max(measured.half_width or 0.0, _TOLERANCE)
        verdict = "reproduced" if within else "differs"
    return {
        "measured": measured.value,
        "std": measured.std,
        "n_seeds": measured.n_seeds,
        "n_eval": measured.n_eval,
        "delta": delta,
        "verdict": verdict,
        "cell": " ".join(measured.cells),
    }
