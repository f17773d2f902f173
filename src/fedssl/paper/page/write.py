"""Render the page as one self-contained file that loads nothing from the network."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fedssl.files import write_text
from fedssl.paper.claims.entries import read_entries
from fedssl.paper.page.averages import wrong_averages
from fedssl.paper.page.certificate import read_certificate
from fedssl.paper.page.figures import figure_content
from fedssl.paper.page.jobs import Jobs
from fedssl.paper.page.numbers import read_table
from fedssl.paper.page.records import read_gains, read_other, read_rows
from fedssl.paper.page.summary import choices, coverage, run_summary
from fedssl.paper.products.registry import get_product
from fedssl.paper.text_table import SCALED

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
        spec: What `fedssl.paper.page.plan.page_spec` returns.
        claims: `claims.csv`.
        contradictions: `contradictions.yaml`.
        published: All files of published numbers.
        certificate: The reproduction certificate.
        path: Where the page goes.
    """
    jobs = Jobs()
    content = {
        **_numbers(spec, jobs=jobs),
        "figures": [
            figure_content(entry["figure"], entry["record"])
            for entry in spec["products"]
            if entry["figure"]
        ],
        "claims": read_rows(claims),
        "contradictions": read_entries(contradictions),
        "wrong_averages": wrong_averages(published),
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


def _numbers(spec: Mapping[str, Any], *, jobs: Jobs) -> Content:
    shown: dict[str, list[Content]] = {"numbers": [], "gains": [], "rows": []}
    for entry in spec["products"]:
        product = get_product(entry["kind"])
        if product.shown:
            shown[product.shown].append(entry)
    tables = [read_table(e["table"], jobs, axes=e["axes"]) for e in shown["numbers"]]
    return {
        "tables": tables,
        "gains": [read_gains(e["table"], axes=e["axes"]) for e in shown["gains"]],
        "others": [_other(entry) for entry in shown["rows"]],
        "numbers": {slug: detail for table in tables for slug, detail in table["numbers"].items()},
        "coverage": coverage(tables),
        "choices": choices(tables),
    }


def _other(entry: Mapping[str, Any]) -> Content:
    text_table = get_product(entry["kind"]).text_table
    if text_table is None:
        raise TypeError(f"product {entry['kind']} is shown as rows and has no text_table.")
    return read_other(entry["table"], entry["record"], text_table=text_table, axes=entry["axes"])


def _packed(data: Content) -> str:
    """Return data as base64 of gzipped JSON: hundreds of jobs in a fifth of the space."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
