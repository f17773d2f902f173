"""Silhouettes: how well an encoder separates datasets and modalities.

They are the numbers behind the figures of maps. The claims about these figures are tested on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.evaluation.statistics import seed_half_width
from fedssl.files import read_json
from fedssl.paper import map_panels
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.seeds import Seeds
from fedssl.paper.tables import COLUMNS, DTYPES, write_numbers
from fedssl.paper.verdict import Verdict

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

_COLUMNS = {
    "silhouette by dataset": ("dataset", "features"),
    "silhouette by modality": ("modality", "features"),
    "silhouette by dataset on the map": ("dataset", "map"),
    "silhouette by modality on the map": ("modality", "map"),
}
_PROTOCOL = "embedding-map"
_NOTE = (
    "Silhouettes range from -1 to 1 and are not percent. They are computed on the features after "
    "PCA and on their t-SNE map. With several seeds, ± is "
    "over seeds (Student's t). n_eval counts the samples of all datasets."
)


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the silhouettes of all seeds of a figure's panels."""
    panels = map_panels.figure_spec(plan, name)["panels"]
    return {"summaries": [cell["summary"] for panel in panels for cell in panel["cells"]]}


def write(spec: Spec, files: Files) -> None:
    """Write the table behind a figure of maps as CSV, Markdown and LaTeX, and its seeds."""
    frame, seeds = build_silhouettes(spec)
    write_numbers(frame, seeds, spec, files, notes=[("", _NOTE)])


def build_silhouettes(spec: Spec) -> tuple[pd.DataFrame, list[Seeds]]:
    """Return one row per panel and silhouette with the columns of a table's CSV, and its seeds.

    `measured` is the mean over seeds, from -1 to 1. No paper prints a silhouette, so the verdict
    is scaled, no-published-number or, if the grid does not declare the cell, not-run.

    Raises:
        UserError: The maps of two seeds have different numbers of samples.
    """
    records, seeds = [], []
    for panel in spec["panels"]:
        summaries = {str(cell["seed"]): read_json(cell["summary"]) for cell in panel["cells"]}
        n_eval = _common_n_eval(panel, list(summaries.values()))
        models = {str(cell["seed"]): [cell["cell"]] for cell in panel["cells"]}
        for column, (group, space) in _COLUMNS.items():
            values = {seed: s["silhouette"][group][space] for seed, s in summaries.items()}
            records.append(_record(spec, panel, column, values) | {"n_eval": n_eval})
            if values:
                seeds.append(Seeds(panel["row"], column, error=None, values=values, models=models))
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(DTYPES), seeds


def _record(
    spec: Spec, panel: Mapping[str, Any], column: str, values: Mapping[str, float]
) -> dict[str, Any]:
    # The papers show maps and print no silhouettes, so there is nothing to compare with.
    known = list(values.values())
    half_width = seed_half_width(known) if len(known) > 1 else None
    unpublished = Verdict.UNPUBLISHED if spec["scale"] == "paper" else Verdict.SCALED
    return {
        "study": spec["study"],
        "table": spec["table"],
        "row": panel["row"],
        "column": column,
        "measured": mean(known) if known else None,
        "std": stdev(known) if len(known) > 1 else None,
        "low": None if half_width is None else mean(known) - half_width,
        "high": None if half_width is None else mean(known) + half_width,
        "n_seeds": len(values),
        "verdict": unpublished if values else Verdict.NOT_RUN,
        "cell": " ".join(cell["cell"] for cell in panel["cells"]),
        "task": "",
        "protocol": _PROTOCOL,
        "flags": "",
    }


def _common_n_eval(panel: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]) -> int | None:
    counts = {summary["n_eval"] for summary in summaries}
    if len(counts) > 1:
        raise UserError(
            f"The maps of {panel['row']} have {', '.join(map(str, sorted(counts)))} samples; "
            "the maps of all seeds must have the same number."
        )
    return counts.pop() if counts else None


PRODUCT = Product(
    names=map_panels.figures,
    spec=map_panels.figure_spec,
    inputs=inputs,
    tables=("csv", "md", "html", "tex", "seeds"),
    write=write,
    shown="numbers",
    # The figure has the same name. It is the target, and asks for this table.
    is_target=False,
)
