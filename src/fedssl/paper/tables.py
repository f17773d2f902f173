"""Rows of a paper's table: every published number next to the measured one, with a verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import atomic_write, write_text
from fedssl.paper.measurement import Measurement, measure
from fedssl.paper.parameters import parameter_column
from fedssl.paper.published import heading, read_published
from fedssl.paper.seeds import Seeds, write_seeds
from fedssl.paper.text_table import numbers_table, to_latex, to_markdown, with_column
from fedssl.paper.verdict import Verdict

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
    "task",
    "protocol",
    "low",
    "high",
)
_TOLERANCE = 1.0  # points: within this a number is reproduced however many samples it rests on
DTYPES = {
    "published": "float64",
    "measured": "float64",
    "std": "float64",
    "n_seeds": "Int64",
    "n_eval": "Int64",
    "delta": "float64",
    "low": "float64",
    "high": "float64",
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
    frame, by_seed = build_table(spec, published=numbers)
    notes, parameters = _notes(numbers), parameter_column(spec)
    write_frame(frame, spec, notes=notes, csv=csv, md=md, tex=tex, parameters=parameters)
    write_seeds(by_seed, seeds)


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
    table = with_column(numbers_table(frame, spec, notes=notes), "parameters", parameters or {})
    with atomic_write(csv) as path:
        frame.round(4).to_csv(path, index=False, lineterminator="\n")
    write_text(md, to_markdown(table))
    write_text(tex, to_latex(table, label=f"tab:{spec['study']}-{spec['table']}"))


def build_table(
    spec: Mapping[str, Any], *, published: pd.DataFrame
) -> tuple[pd.DataFrame, list[Seeds]]:
    """Return one row per row and column of the table, and the numbers of the single seeds.

    The rows have the columns `COLUMNS`. Values are percent at full precision. `n_eval` of an
    average is the sum over its tasks. `low` and `high` bound the 95 % interval over samples and
    seeds. `task` names what was averaged, and `protocol` the score file that was read.

    A number is reproduced where |delta| is at most half of the interval's width, or at most 1
    point if that is more. Published columns that `spec` does not measure follow as not-run.

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
    found = [
        number
        for row in spec["rows"]
        for column in columns
        if (number := _number(spec, row, column=column, numbers=numbers)) is not None
    ]
    records = [number.record for number in found]
    frame = pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(DTYPES)
    return frame, [number.seeds for number in found if number.seeds is not None]


def _of_table(spec: Mapping[str, Any], published: pd.DataFrame) -> pd.DataFrame:
    same = (published["study"] == spec["study"]) & (published["table"] == str(spec["table"]))
    rows: pd.DataFrame = published.loc[same]
    return rows


def _notes(published: pd.DataFrame) -> list[str]:
    return [
        f"{record['row']}, {heading(record['column'], record['protocol'])}: {record['note']}"
        for record in published.to_dict("records")
        if record["note"]
    ]


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


@dataclass(frozen=True)
class _Number:
    """A row of the CSV, and what each seed measured of it."""

    record: dict[str, Any]
    seeds: Seeds | None = None


def _number(
    spec: Mapping[str, Any],
    row: Mapping[str, Any],
    *,
    column: Mapping[str, Any],
    numbers: Numbers,
) -> _Number | None:
    """Return one number; None where the paper has none and nothing can be measured.

    That is a number that a published-only row did not publish, or one that a row's encoder lacks.
    """
    published = numbers.get((row["row"], column["column"], column["protocol"]))
    score = column.get("score", column["protocol"])
    record = {
        "study": spec["study"],
        "table": str(spec["table"]),
        "row": row["row"],
        "column": heading(column["column"], column["protocol"]),
        "published": published,
        "n_seeds": 0,
        "cell": "",
        "task": " ".join(column["tasks"]),
        "protocol": score,
    }
    if row.get("published_only", False):
        record["verdict"] = Verdict.PUBLISHED_ONLY
        return None if published is None else _Number(record)
    if published is None and column.get("score") in row.get("lacks", ()):
        return None
    cells = row["cells"] if row["declared"] else []
    measured = measure(cells, score, tasks=column["tasks"])
    if measured is None:
        paths = [cell["cell"] for cell in cells if column["tasks"] and cell["cell"]]
        return _Number(record | {"verdict": Verdict.NOT_RUN, "cell": " ".join(paths)})
    place = {"row": row["row"], "column": column["column"], "protocol": column["protocol"]}
    held_to = None if place in spec["not_held_to"] else published
    record |= _measured(measured, held_to, scale=spec["scale"])
    return _Number(record, _seeds(record, measured))


def _seeds(record: Mapping[str, Any], measured: Measurement) -> Seeds:
    return Seeds(
        record["row"],
        record["column"],
        error=measured.error,
        values=measured.seeds,
        models=measured.models,
        scores=measured.scores,
    )


def _measured(measured: Measurement, published: float | None, *, scale: str) -> dict[str, Any]:
    delta = None
    if scale != "paper":
        verdict = Verdict.SCALED
    elif published is None:
        verdict = Verdict.UNPUBLISHED
    else:
        delta = measured.value - published
        within = abs(delta) <= max(measured.half_width or 0.0, _TOLERANCE)
        verdict = Verdict.REPRODUCED if within else Verdict.DIFFERS
    low, high = measured.interval or (None, None)
    return {
        "measured": measured.value,
        "std": measured.std,
        "n_seeds": measured.n_seeds,
        "n_eval": measured.n_eval,
        "delta": delta,
        "verdict": verdict,
        "cell": " ".join(measured.cells),
        "low": low,
        "high": high,
    }
