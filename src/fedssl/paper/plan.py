"""Plan the tables and figures of a run: their files, named targets and rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.errors import UserError
from fedssl.grid.own_studies import is_own
from fedssl.grid.paths import record_of
from fedssl.paper.map_panels import check_maps
from fedssl.paper.products.registry import get_product, module_name, products
from fedssl.paper.products.sweep_figure import check_sweeps
from fedssl.paper.products.table import check_tables
from fedssl.paper.references import check_references
from fedssl.record.sources import source_digests

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan, Wildcards

# `snakemake --report` shows HTML and SVG, and offers other formats for download. The other files of
# a product repeat these two.
_CATEGORIES = {"html": "Tables", "svg": "Figures"}
# Targets that are neither a study nor a product.
SINGLE_TARGETS = ("all", "audit", "certificate", "crate", "datasets_table", "rehearsal")


def check_products(plan: Plan) -> None:
    """Raise UserError for a table or figure that names what does not exist or cannot be drawn."""
    check_references(plan)
    check_tables(plan)
    check_maps(plan)
    check_sweeps(plan)


def target_files(plan: Plan, study: str | None = None) -> dict[str, str]:
    """Return name -> file of the tables and figures that are targets, of one study or of all."""
    return {
        name: get_product(kind).target(plan.paths.results, name)
        for (kind, name), of in products(plan).items()
        if get_product(kind).is_target and study in (None, of)
    }


def named_targets(plan: Plan) -> list[str]:
    """Return the names of all targets on the command line."""
    return [*SINGLE_TARGETS, *plan.studies, *target_files(plan)]


def check_storage(plan: Plan, targets: Sequence[str]) -> None:
    """Raise UserError for what a run whose files are in a Snakemake storage cannot make.

    With a storage, a job gets copies of the files that it declares. A few jobs read whatever a
    results folder has.
    """
    results = plan.paths.results
    for key, folder in (("results_dir", results), ("data_dir", plan.config["data_dir"])):
        if Path(folder).is_absolute():
            raise UserError(f"{key} is {folder}; with a storage, it must be a relative path.")
    timeline = get_product("timeline_figure").names(plan)
    names = {*SINGLE_TARGETS, *filter(is_own, plan.studies), *timeline} - {"datasets_table"}
    files = {*final_files(plan)[-2:], *(target_files(plan)[name] for name in timeline)}
    files |= {f"{results}/{name}" for name in ("audit.json", "ro-crate-metadata.json")}
    for target in targets or ["all"]:
        if target in names | files:
            raise UserError(
                f"{target} reads all records of a results folder, and with a storage a job gets "
                "only the files that it declares. Make the other targets first. Then run "
                "Snakemake without a storage, and with --directory for a folder that has the "
                "storage's files."
            )


def records(plan: Plan) -> list[str]:
    """Return the records of all cells, tables and figures.

    They are inputs of the page and the certificate, which print times and machines. A job that ran
    again changes its record even if its numbers are the same.
    """
    files = [*target_files(plan).values(), plan.paths.table("datasets")]
    return [*map(plan.paths.provenance, plan.cells), *map(record_of, files)]


def tables(plan: Plan, *kinds: str) -> list[str]:
    """Return the CSVs of all products of the given kinds."""
    found = (name for kind in kinds for name in get_product(kind).names(plan))
    return [plan.paths.table(name) for name in found]


def certificate_spec(plan: Plan) -> dict[str, Any]:
    """Return the declared cells, seeds, datasets and tables, to be compared with the records."""
    config, results = plan.grid.config, Path(plan.paths.results)
    records = (Path(plan.paths.provenance(cell)) for cell in plan.cells)
    shown = config["studies"] if plan.papers else plan.studies
    return {
        **plan.grid.scale,
        "results": plan.paths.results,
        "own": not plan.papers,
        "studies": [config["studies"][study]["title"] for study in shown],
        "tables": tables(plan, "table"),
        "seeds": list(config["seeds"]),
        "cells": [record.relative_to(results).as_posix() for record in records],
        "datasets": {name: entry["title"] for name, entry in config["datasets"].items()},
    }


def published_files(plan: Plan) -> list[str]:
    """Return the files of published numbers; none for own studies alone."""
    files = (plan.checkout / "config" / "published").glob("*.csv") if plan.papers else ()
    return sorted(map(str, files))


def claims_files(plan: Plan) -> list[str]:
    """Return the file of the papers' claims; none for own studies alone."""
    return [f"{plan.paths.results}/claims.csv"] if plan.papers else []


def final_files(plan: Plan) -> list[str]:
    """Return what a run ends with, apart from the tables and figures of its studies."""
    own = (plan.paths.table("datasets"), f"{plan.paths.results}/certificate.md")
    return [*claims_files(plan), *own, f"{plan.paths.results}/report/index.html"]


def study_files(plan: Plan, study: str) -> list[str]:
    """Return what the target of a study makes: for an own study, the page and the certificate too.

    A paper's tables can be made one study at a time, but the page needs both papers.
    """
    files = list(target_files(plan, study).values())
    return [*files, *final_files(plan)] if is_own(study) else files


def moment(_wildcards: Wildcards) -> str:
    """Return a new value on every call, so that the audit always runs."""
    # Snakemake would skip the audit if no input changed, but a forger can keep a file's
    # modification time and size.
    return datetime.now(UTC).isoformat()


def product_rule(plan: Plan, kind: str) -> dict[str, Any]:
    """Return the parts of a kind's rule: product names, input and spec functions, and outputs."""
    from snakemake.io import local  # slow, and only rules call this function

    product = get_product(kind)

    # Snakemake calls these functions later. Defined in the loop over the kinds, all of them would
    # see the last kind.
    def inputs(wildcards: Wildcards) -> Any:
        found = product.inputs(plan, wildcards.product)
        # The workflow's own files are not in a storage.
        return {k: local(files) if k == "published" else files for k, files in found.items()}

    def spec(wildcards: Wildcards) -> dict[str, Any]:
        return product.spec(plan, wildcards.product)

    return {
        "names": list(product.names(plan)),
        "inputs": inputs,
        "spec": spec,
        "files": product.files("<results>", "{product}"),
        "record": product.record("<results>", "{product}"),
        # The script imports the module of the kind by name, which the digests cannot follow.
        "sources": source_digests(plan.scripts / "product.py", module_name(kind)),
    }


def report_labels(caption: str, category: str, title: str) -> dict[str, Any]:
    """Return the caption, category and title of an output in `snakemake --report`."""
    return {"caption": f"../report/{caption}.rst", "category": category, "labels": {"title": title}}


def reported(kind: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the outputs of a product, and mark those that `snakemake --report` shows."""
    # Snakemake is slow to import, and only rules call this function.
    from snakemake.io import report

    caption = f"../report/{kind}.rst"
    return {
        name: report(file, caption=caption, category=_CATEGORIES[name], labels=_product_labels)
        if name in _CATEGORIES
        else file
        for name, file in files.items()
    }


def _product_labels(wildcards: Wildcards, params: Any) -> dict[str, str]:
    title, _, _ = params.spec["title"].partition(";")
    return {"name": wildcards.product, "title": title}
