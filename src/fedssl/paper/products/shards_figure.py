"""The samples of each client by class, for each dataset and sharding of a study."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from fedssl.files import read_json
from fedssl.paper.products.product import Product, Spec
from fedssl.paper.style import COLUMN, PAGE, Drawing, mark_scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fedssl.grid.plan import Plan

_PANEL_HEIGHT = 2.1  # inches
_TITLE_CHARACTERS = 38
_TICKS = 4


def names(plan: Plan) -> dict[str, str]:
    """Return one figure per study with federated cells."""
    return {f"{study}_shards": study for study in plan.studies if _panels(plan, study)}


def spec(plan: Plan, name: str) -> dict[str, Any]:
    """Return the shards files of the first seed, and their datasets and alphas."""
    study = names(plan)[name]
    seed = plan.grid.config["seeds"][0]
    return {
        "title": f"{study}: samples by client and class, seed {seed}",
        **plan.grid.scale,
        "panels": [
            {
                "title": f"{plan.config['datasets'][dataset]['title']}, alpha {alpha}",
                "shards": plan.paths.shards(dataset, sharding, seed),
            }
            for dataset, sharding, alpha in _panels(plan, study)
        ],
    }


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Return the shards files."""
    return {"shards": [panel["shards"] for panel in spec(plan, name)["panels"]]}


def _panels(plan: Plan, study: str) -> list[tuple[str, str, float]]:
    """Return dataset, sharding and alpha of each sharding that a federated cell uses."""
    found = {
        (dataset, plan.grid.sharding(cell), plan.grid.settings(cell)["sharding"]["alpha"]): None
        for cell in plan.grid.select(study=study)
        if cell.federated
        for dataset in plan.grid.datasets(cell).values()
    }
    return list(found)


def shards_figure(spec: Spec) -> Figure:
    """Return a heat map per dataset and sharding: a row per client and a column per class.

    A darker cell has more samples; only cells without a sample are white.
    """
    from matplotlib.figure import Figure

    panels = spec["panels"]
    across = min(2, len(panels))
    rows = ceil(len(panels) / across)
    size = (PAGE if across > 1 else COLUMN, _PANEL_HEIGHT * rows)
    figure = Figure(figsize=size, layout="constrained")
    grid = list(figure.subplots(rows, across, squeeze=False).flat)
    for axes, panel in zip(grid, panels, strict=False):
        _draw_panel(figure, axes, panel)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    mark_scaled(figure, spec)
    return figure


def _draw_panel(figure: Figure, axes: Axes, panel: Mapping[str, Any]) -> None:
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import MaxNLocator

    histogram = np.asarray(read_json(panel["shards"])["histogram"], dtype=float)
    # With linear shades a client's single samples would not be visible next to hundreds.
    norm = PowerNorm(0.5, vmin=0, vmax=max(1.0, histogram.max()))
    empty = np.ma.masked_equal(histogram, 0)
    shown = axes.imshow(empty, aspect="auto", cmap="viridis_r", norm=norm, interpolation="none")
    axes.grid(visible=False)
    axes.set_title(fill(panel["title"], width=_TITLE_CHARACTERS))
    axes.set(xlabel="class", ylabel="client")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=_TICKS, integer=True))
    bar = figure.colorbar(shown, ax=axes, label="samples", pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=_TICKS, integer=True))


PRODUCT = Product(
    names=names, spec=spec, inputs=inputs, draw=Drawing(shards_figure), folder="figures"
)
