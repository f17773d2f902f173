"""Renders the page: one file, nothing beside it, nothing from the network."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fedssl.files import write_text
from fedssl.paper.claims.entries import read_entries
from fedssl.paper.markup import SCALED
from fedssl.paper.page.averages import wrong_averages
from fedssl.paper.page.certificate import read_certificate
from fedssl.paper.page.figures import figure_content
from fedssl.paper.page.jobs import Jobs
from fedssl.paper.page.numbers import read_table
from fedssl.paper.page.records import kind_of, read_gains, read_other, read_rows
from fedssl.paper.page.summary import (
    choices,
    coverage,
    missing_cells,
    not_run,
    run_summary,
)

TEMPLATES = Path(__file__).parent / "templates"
Content = dict[str, Any]


def write_page(
    spec: Mapping[str, Any],
    *,
    claims: str,
    contradictions: str,
    published: Iterable[str],
    certificate: str,
    path: str | Path,
) -> None:
    """Write the report as one HTML file.

    Args:
        spec: scale, scale_note, results folder, command, studies, row axes, declared cells, and
            tables and figures: CSVs and SVGs with their provenance beside them.
        claims: `claims.csv`.
        contradictions: `contradictions.yaml`, with its schema in `schemas` beside it.
        published: All files of published numbers.
        certificate: The reproduction certificate.
        path: Where the page goes.
    """
    jobs, tables, figures = Jobs(), spec["tables"], spec["figures"]
    content = {
        **_numbers(spec, _with_twins(tables, figures, ".csv"), jobs=jobs),
        "figures": [figure_content(figure) for figure in _with_twins(figures, tables, ".svg")],
        "claims": read_rows(claims),
        "contradictions": read_entries(contradictions),
        "wrong_averages": wrong_averages(published),
        "missing_cells": missing_cells(spec["cells"]),
        "certificate": {
            "file": Path(certificate).name,
            "blocks": read_certificate(certificate),
        },
    }
    data = jobs.as_data()
    content["run"] = run_summary(data["jobs"], data["git"])
    data |= {"command": spec["command"], "numbers": content.pop("numbers")}
    content["data"] = _packed(data)
    write_text(path, render(content, spec=spec))


def render(content: Content, *, spec: Mapping[str, Any]) -> str:
    """Return the page; all that comes from data is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _text("page.css"), _text("page.js") + _text("provenance.js")
    return environment.get_template("page.html").render(
        **content,
        spec=spec,
        scaled=spec["scale"] != "paper",
        scaled_words=SCALED,
        style=Markup(style),
        script=Markup(script),
        # The browser runs this script and no other, and asks no server for anything.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src '{_hash(script)}'",
    )


def _with_twins(files: Sequence[str], others: Sequence[str], suffix: str) -> list[str]:
    """Return the files, and those of the same folder that bear the name of another product.

    A rule that writes a table and its figure declares one of them to the page.
    """
    folder = {".csv": "tables", ".svg": "figures"}[suffix]
    twins = (Path(o).parents[1] / folder / f"{Path(o).stem}{suffix}" for o in others)
    return list(dict.fromkeys([*files, *(str(twin) for twin in twins if twin.is_file())]))


def _numbers(spec: Mapping[str, Any], tables: Sequence[str], *, jobs: Jobs) -> Content:
    of_kind: dict[str, list[str]] = {"numbers": [], "gains": [], "rows": []}
    for table in tables:
        of_kind[kind_of(table)].append(table)

    def axes(table: str) -> Mapping[str, Mapping[str, str]]:
        found: Mapping[str, Mapping[str, str]] = spec["axes"].get(Path(table).stem, {})
        return found

    read = [read_table(table, jobs, axes=axes(table)) for table in of_kind["numbers"]]
    return {
        "tables": read,
        "gains": [read_gains(table, axes=axes(table)) for table in of_kind["gains"]],
        "others": [read_other(table, axes=axes(table)) for table in of_kind["rows"]],
        "numbers": {slug: detail for table in read for slug, detail in table["numbers"].items()},
        "coverage": coverage(read),
        "choices": choices(read),
        "not_run": not_run(read),
    }


def _packed(data: Content) -> str:
    """Return data as base64 of gzipped JSON: hundreds of jobs in a fifth of the space."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
