"""The files and named targets of a run's tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.grid.paths import record_of
from fedssl.paper.map_panels import check_maps
from fedssl.paper.products.registry import get_product, module_name, products
from fedssl.paper.products.sweep_figure import check_sweeps
from fedssl.paper.products.table import check_tables
from fedssl.record.sources import source_digests

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan, Wildcards

# Targets that are neither a study nor a product.
_CATEGORIES = {"csv": "Tables", "svg": "Figures"}
SINGLE_TARGETS = ("all", "audit", "certificate", "crate", "datasets_table")


def check_products(plan: Plan) -> None:
    """Raise UserError for a table without columns, and for a figure of what does not exist."""
    check_tables(plan)
    check_maps(plan)
    check_sweeps(plan)


def target_files(plan: Plan, study: str | None = None) -> dict[str, str]:
    """Return name -> file of the tables and figures that are targets; of one study, or of all."""
    return {
        name: get_product(kind).target(plan.paths.results, name)
        for (kind, name), of in products(plan).items()
        if get_product(kind).is_target and study in (None, of)
    }


def named_targets(plan: Plan) -> list[str]:
    """Return every name that can stand on the command line."""
    return [*SINGLE_TARGETS, *plan.studies, *target_files(plan)]


def records(plan: Plan) -> list[str]:
    """Return the records of all cells, tables and figures.

    They change whenever anything ran again. A cell that ran again may give the same numbers at
    another time on another machine, which the page and the certificate say.
    """
    files = [*target_files(plan).values(), plan.paths.table("datasets")]
    return [*map(plan.paths.provenance, plan.grid.cells), *map(record_of, files)]


def tables(plan: Plan, *kinds: str) -> list[str]:
    """Return the CSVs of the products of some kinds."""
    found = (name for kind in kinds for name in get_product(kind).names(plan))
    return [plan.paths.table(name) for name in found]


def certificate_spec(plan: Plan) -> dict[str, Any]:
    """Return what was declared, to be compared with what the records say."""
    config, results = plan.grid.config, Path(plan.paths.results)
    records = (Path(plan.paths.provenance(cell)) for cell in plan.grid.cells)
    return {
        **plan.grid.scale,
        "results": plan.paths.results,
        "studies": [study["title"] for study in config["studies"].values()],
        "tables": tables(plan, "table"),
        "seeds": list(config["seeds"]),
        "cells": [record.relative_to(results).as_posix() for record in records],
        "datasets": {name: entry["title"] for name, entry in config["datasets"].items()},
    }


def published_files(plan: Plan) -> list[str]:
    """Return all files of published numbers."""
    return sorted(map(str, (plan.checkout / "config" / "published").glob("*.csv")))


def moment(_wildcards: Wildcards) -> str:
    """Return a new value on every call, so that the audit always runs.

    A changed file can keep its modification time and size, so neither can stand for it.
    """
    return datetime.now(UTC).isoformat()


def product_rule(plan: Plan, kind: str) -> dict[str, Any]:
    """Return what the rule of a kind has: product names, input and spec functions, and outputs."""
    product = get_product(kind)

    def inputs(wildcards: Wildcards) -> Any:
        return product.inputs(plan, wildcards.product)

    def spec(wildcards: Wildcards) -> dict[str, Any]:
        return product.spec(plan, wildcards.product)

    return {
        "names": list(product.names(plan)),
        "inputs": inputs,
        "spec": spec,
        "files": product.files("<results>", "{product}"),
        "record": product.record("<results>", "{product}"),
        "sources": source_digests(plan.scripts / "product.py", module_name(kind)),
    }


def report_labels(caption: str, category: str, name: str) -> dict[str, Any]:
    """Return how `snakemake --report` shows an output: its caption, group and name."""
    return {
        "caption": f"../report/{caption}.rst",
        "category": category,
        "labels": {"name": name},
    }


def reported(kind: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Return a product's outputs, with those marked that `snakemake --report` shows."""
    from snakemake.io import report

    return {
        name: report(file, **report_labels(kind, _CATEGORIES[name], "{product}"))
        if name in _CATEGORIES
        else file
        for name, file in files.items()
    }
