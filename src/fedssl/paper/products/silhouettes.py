"""Silhouettes: how well an encoder separates datasets and modalities. The claims read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import pandas as pd

from fedssl.errors import UserError
from fedssl.files import read_json
from fedssl.paper import map_panels
from fedssl.paper.products.product import Files, Product, Spec
from fedssl.paper.seeds import Seeds, write_seeds
from fedssl.paper.tables import COLUMNS, DTYPES, write_frame
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
    "Silhouettes, from -1 to 1 and not percent: of the features after PCA, and of their t-SNE map. "
    "n_eval counts the samples of all datasets."
)


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the silhouettes of a figure's panels, of every seed."""
    panels = map_panels.figure_spec(plan, name)["panels"]
    return {"summaries": [cell["summary"] for panel in panels for cell in panel["cells"]]}


def write(spec: Spec, files: Files) -> None:
    """Write CSV, Markdown, LaTeX and the seeds' numbers."""
    write_silhouettes(spec, **files)


def write_silhouettes(
    spec: Mapping[str, Any],
    *,
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    seeds: str | Path,
) -> None:
    """Write the table behind a figure of maps as CSV, Markdown and LaTeX, and its seeds."""
    write_frame(build_silhouettes(spec), spec, notes=[_NOTE], csv=csv, md=md, tex=tex)
    write_seeds(_seeds(spec["panels"]), seeds)


def build_silhouettes(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per panel and silhouette, with the columns of a table CSV.

    `measured` is the mean over seeds, from -1 to 1; no paper prints such a number, so the verdict
    is scaled, no-published-number or, where the grid declares no such cell, not-run.

    Raises:
        UserError: Seeds were mapped from other numbers of samples.
    """
    records = [record for panel in spec["panels"] for record in _records(spec, panel)]
    return pd.DataFrame.from_records(records, columns=list(COLUMNS)).astype(DTYPES)


def _seeds(panels: Sequence[Mapping[str, Any]]) -> Iterator[Seeds]:
    for panel in panels:
        by_seed = {str(cell["seed"]): _silhouettes(cell) for cell in panel["cells"]}
        models = {str(cell["seed"]): [cell["cell"]] for cell in panel["cells"]}
        for column, (group, space) in _COLUMNS.items() if by_seed else ():
            values = {seed: found[group][space] for seed, found in by_seed.items()}
            yield Seeds(panel["row"], column, error=None, values=values, models=models)


def _silhouettes(cell: Mapping[str, Any]) -> Mapping[str, Mapping[str, float]]:
    found: Mapping[str, Mapping[str, float]] = read_json(cell["summary"])["silhouette"]
    return found


def _records(spec: Mapping[str, Any], panel: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    summaries = [read_json(cell["summary"]) for cell in panel["cells"]]
    for column, (group, space) in _COLUMNS.items():
        record = {"study": spec["study"], "table": spec["table"], "row": panel["row"]}
        record |= {"column": column, "n_seeds": len(summaries), "cell": ""}
        record |= {"task": "", "protocol": _PROTOCOL, "verdict": Verdict.NOT_RUN}
        if summaries:
            values = [summary["silhouette"][group][space] for summary in summaries]
            record |= {
                "measured": mean(values),
                "std": stdev(values) if len(values) > 1 else None,
                "n_eval": _common_n_eval(panel, summaries),
                "verdict": Verdict.UNPUBLISHED if spec["scale"] == "paper" else Verdict.SCALED,
                "cell": " ".join(cell["cell"] for cell in panel["cells"]),
            }
        yield record


def _common_n_eval(panel: Mapping[str, Any], summaries: Sequence[Mapping[str, Any]]) -> int:
    counts = {summary["n_eval"] for summary in summaries}
    if len(counts) > 1:
        raise UserError(
            f"the maps of {panel['row']} have {', '.join(map(str, sorted(counts)))} samples; "
            "those of all seeds must have as many."
        )
    return int(counts.pop())


PRODUCT = Product(
    names=map_panels.figures,
    spec=map_panels.figure_spec,
    inputs=inputs,
    tables=("csv", "md", "tex", "seeds"),
    write=write,
    columns=COLUMNS,
    shown="numbers",
    is_target=False,  # the figure of the same name is the target, and reads this table
)
