"""Build the tables of a paper: every published number next to the measured one, with a verdict."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.paper import judgement
from fedssl.paper.judgement import Number, comparability
from fedssl.paper.measurement import measure
from fedssl.paper.parameters import parameter_column
from fedssl.paper.published import heading, read_published
from fedssl.paper.seeds import Seeds, write_seeds
from fedssl.paper.text_table import numbers_table, only_run, write_table_files
from fedssl.paper.verdict import Verdict

COLUMNS = (
    *("study", "table", "row", "column", "published", "measured", "std", "n_seeds", "n_eval"),
    *("delta", "verdict", "cell", "task", "protocol", "low", "high"),
    *("chance", "random_init", "flags", *judgement.COLUMNS),
)
# By default pandas makes floats of counts next to missing values, and objects of columns in which
# all values are missing.
DTYPES = {
    **dict.fromkeys(("published", "measured", "std", "delta", "low", "high"), "float64"),
    **dict.fromkeys(("chance", "random_init", "predicted_low", "predicted_high"), "float64"),
    **dict.fromkeys(("seed_sd", "seed_degrees", "tau", "tau_low", "tau_high"), "float64"),
    **dict.fromkeys(("n_seeds", "n_eval", "seeds_needed"), "Int64"),
}
Numbers = Mapping[tuple[str, str, str], float]  # (row, column, protocol) -> percent


def write_table(spec: Mapping[str, Any], files: Mapping[str, str | Path]) -> None:
    """Write a table as CSV, Markdown and LaTeX, and the values of its seeds.

    Args:
        spec: What `build_table` takes, and `published`: the files of published numbers. Numbers of
            other tables in these files are ignored.
        files: Paths of the outputs `csv`, `md`, `tex` and `seeds`.
    """
    published = _of_table(spec, read_published(spec["published"]))
    notes = [
        (record["row"], f"{heading(record['column'], record['protocol'])}: {record['note']}")
        for record in published.to_dict("records")
        if record["note"]
    ]
    frame, seeds = build_table(spec, published=published)
    write_numbers(frame, seeds, spec, files, notes=notes, parameters=parameter_column(spec))


def write_numbers(
    frame: pd.DataFrame,
    seeds: Iterable[Seeds],
    spec: Mapping[str, Any],
    files: Mapping[str, str | Path],
    *,
    notes: Sequence[tuple[str, str]],
    parameters: Mapping[str, str] | None = None,
) -> None:
    """Write rows with the columns `COLUMNS` as CSV, Markdown and LaTeX, and their seeds.

    Each note is a row and a text; the row is empty if the note is on the whole table. LaTeX lacks
    rows and columns that were not run.
    """
    run, left_out = only_run(frame)
    rows = {"", *run["row"]}
    own_notes = [note for note in notes if note[0] in rows]
    printed = numbers_table(
        run, spec, notes=[*_texts(own_notes), *filter(None, [left_out])], parameters=parameters
    )
    table = numbers_table(frame, spec, notes=_texts(notes), parameters=parameters)
    label = f"tab:{spec['study']}-{spec['table']}"
    write_table_files(frame, table, files, label=label, printed=printed)
    write_seeds(seeds, files["seeds"])


def _texts(notes: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{row}, {text}" if row else text for row, text in notes]


def build_table(
    spec: Mapping[str, Any], *, published: pd.DataFrame
) -> tuple[pd.DataFrame, list[Seeds]]:
    """Return the rows of a table's CSV, and the values of the seeds of each measured number.

    There is one row per row and column of the table, with the columns `COLUMNS`. Values are
    percent at full precision. `n_eval` of an average is the sum over its tasks. `low` and `high`
    bound the 95 % interval over samples and seeds. `chance` is the accuracy of guessing, and
    `random_init` that of the same encoders before training. `flags` are those of
    `fedssl.paper.flags`. `task` lists the tasks that were averaged, and `protocol` is that of the
    score files. Published columns that `spec` lacks follow as not-run.

    `fedssl.paper.judgement` gives the verdicts.

    Args:
        spec: study, table, title, scale, scale_note, resolution, columns, rows with their score
            files, not_held_to (published numbers that give no verdict) and not_comparable (task ->
            why its data are not the paper's).
        published: Published numbers as `read_published` returns them, of any tables.

    Raises:
        UserError: A score file is of another task, protocol or number of samples or, at paper
            scale, a published number is of a row that the table lacks.
    """
    numbers = {
        (record["row"], record["column"], record["protocol"]): record["value"]
        for record in _of_table(spec, published).to_dict("records")
    }
    # A scaled run may leave out rows of the paper.
    if spec["scale"] == "paper":
        _check_rows(spec, numbers)
    columns = [*spec["columns"], *_published_columns(spec, numbers)]
    found = [
        number
        for row in spec["rows"]
        for column in columns
        if (number := _number(spec, row, column=column, published=numbers)) is not None
    ]
    records = judgement.judged(found, scale=spec["scale"], resolution=spec["resolution"])
    frame = pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(DTYPES)
    return frame, [number.seeds for number in found if number.seeds is not None]


def _of_table(spec: Mapping[str, Any], published: pd.DataFrame) -> pd.DataFrame:
    same = (published["study"] == spec["study"]) & (published["table"] == str(spec["table"]))
    rows: pd.DataFrame = published.loc[same]
    return rows


def _check_rows(spec: Mapping[str, Any], numbers: Numbers) -> None:
    """Raise UserError for a published row that a mistyped name would leave out of the table."""
    rows = [row["row"] for row in spec["rows"]]
    for row, _, _ in numbers:
        if row not in rows:
            raise UserError(
                f"The published row '{row}' has no place in {spec['study']} table {spec['table']}; "
                f"its rows are {', '.join(rows)}."
            )


def _published_columns(spec: Mapping[str, Any], numbers: Numbers) -> list[dict[str, Any]]:
    """Return the paper's columns that `spec` lacks, in the paper's order."""
    measured = {(column["column"], column["protocol"]) for column in spec["columns"]}
    printed = dict.fromkeys((column, protocol) for _, column, protocol in numbers)
    return [
        {"column": column, "protocol": protocol, "tasks": []}
        for column, protocol in printed
        if (column, protocol) not in measured
    ]


def _number(
    spec: Mapping[str, Any],
    row: Mapping[str, Any],
    *,
    column: Mapping[str, Any],
    published: Numbers,
) -> Number | None:
    """Return one number; None if the paper does not print it and it cannot be measured.

    A number cannot be measured in a row that is only quoted, or if the row's encoder has no such
    score, such as the accuracy of an image encoder on sounds.
    """
    name = {"row": row["row"], "column": column["column"], "protocol": column["protocol"]}
    printed = published.get((row["row"], column["column"], column["protocol"]))
    record = {
        "study": spec["study"],
        "table": str(spec["table"]),
        "row": row["row"],
        "column": heading(column["column"], column["protocol"]),
        "published": printed,
        "n_seeds": 0,
        "cell": "",
        "task": " ".join(column["tasks"]),
        "protocol": column.get("score", column["protocol"]),
    }
    if row.get("published_only", False):
        quoted = record | {"verdict": Verdict.PUBLISHED_ONLY}
        return None if printed is None else Number(quoted)
    if printed is None and column.get("score") in row.get("lacks", ()):
        return None
    # Score files of a row that the grid no longer declares must not appear as its numbers.
    cells = row["cells"] if row["declared"] else []
    where = {"row": record["row"], "column": record["column"]}
    measured = measure(cells, record["protocol"], tasks=column["tasks"], **where)
    if measured is None:
        paths = [cell["cell"] for cell in cells if column["tasks"] and cell["cell"]]
        return Number(record | {"verdict": Verdict.NOT_RUN, "cell": " ".join(paths)})
    numbers, seeds = measured
    return Number(
        record | numbers,
        seeds,
        held_to=None if name in spec["not_held_to"] else printed,
        arch=row.get("arch", ""),
        not_comparable=comparability(numbers["flags"], column["tasks"], spec["not_comparable"]),
    )
