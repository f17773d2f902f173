"""Plan the report page: the files that it shows, and the command that reruns a cell."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.data.plan_banks import example_datasets, may_be_shown, scored_datasets
from fedssl.grid.paths import from_here
from fedssl.paper.page.legend import legend
from fedssl.paper.page.repository import repository_url
from fedssl.paper.products.registry import get_product, products

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

_TEMPLATES = Path(__file__).parent / "templates"


def page_spec(plan: Plan) -> dict[str, Any]:
    """Return the scale, studies, names, tables and figures of the page, and the run's command."""
    config = plan.grid.config
    return {
        **plan.grid.scale,
        "results": plan.paths.results,
        "command": _command(plan),
        "own": not plan.papers,
        "repository": repository_url(plan.checkout),
        "studies": {name: config["studies"][name]["title"] for name in plan.studies},
        "legend": legend(plan),
        "products": page_products(plan),
        "examples": _examples(plan),
    }


def _examples(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return scored dataset -> its title, and the file of its samples; None if not permitted."""
    return {
        name: {
            "title": plan.config["datasets"][name]["title"],
            "file": plan.paths.examples(name) if may_be_shown(plan, name) else None,
        }
        for name in scored_datasets(plan)
    }


def page_products(plan: Plan) -> list[dict[str, Any]]:
    """Return the kind, name, files and axes of the rows of each product."""
    found = []
    for kind, name in products(plan):
        product = get_product(kind)
        files = product.files(plan.paths.results, name)
        found.append(
            {
                "kind": kind,
                "name": name,
                "table": files.get("csv"),
                "figure": files.get("svg"),
                "record": product.record(plan.paths.results, name),
                "axes": product.axes(plan, name) if product.shown else {},
            }
        )
    return found


def page_inputs(plan: Plan) -> dict[str, list[str]]:
    """Return the tables and figures of the page, and the samples that it shows."""
    shown = page_products(plan)
    return {
        "tables": [entry["table"] for entry in shown if entry["table"]],
        "figures": [entry["figure"] for entry in shown if entry["figure"]],
        "examples": [plan.paths.examples(name) for name in example_datasets(plan)],
    }


def page_templates() -> list[str]:
    """Return the templates of the page."""
    return sorted(map(str, from_here(_TEMPLATES).iterdir()))


def executor_options(plan: Plan) -> list[str]:
    """Return the options of the command line that say where a run of this scale runs."""
    large = plan.papers and plan.grid.scale["scale"] == "paper"
    return ["--profile", "slurm"] if large else ["--cores", "all"]


def _command(plan: Plan) -> str:
    """Return the command line of the run up to its targets, with the given configuration."""
    # The last layer holds the values of `--config`. The shipped files need not be named.
    *files, command_line = plan.layers[plan.shipped :]
    words = ["snakemake", *executor_options(plan)]
    if files:
        words += ["--configfile", *(layer.name for layer in files)]
    given = _given(command_line.content)
    return shlex.join([*words, *(["--config", *given] if given else [])])


def _given(settings: Mapping[str, Any]) -> list[str]:
    # The archives have been fetched, and a mirror is not a parameter of any other job.
    given = {key: value for key, value in settings.items() if key != "mirror"}
    return [f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in given.items()]
