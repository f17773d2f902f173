"""Render the report page as one self-contained file that loads nothing from the network."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fedssl.files import write_text
from fedssl.paper.certificate import certificate_title
from fedssl.paper.page.certificate import read_certificate
from fedssl.paper.page.claims import claim_counts, read_claims
from fedssl.paper.page.confusion import confusions
from fedssl.paper.page.evidence import figure_panels, row_panels
from fedssl.paper.page.examples import read_examples
from fedssl.paper.page.figures import figure_content
from fedssl.paper.page.jobs import Jobs
from fedssl.paper.page.links import Links, with_arxiv
from fedssl.paper.page.maps import read_maps
from fedssl.paper.page.numbers import read_table
from fedssl.paper.page.pictures import forest, gain_lanes, scatter
from fedssl.paper.page.printed import published_notes, read_contradictions, wrong_averages
from fedssl.paper.page.records import read_gains, read_other, read_rows
from fedssl.paper.page.scores import shown_scores
from fedssl.paper.page.style import TEMPLATES, templates_in
from fedssl.paper.page.summary import choices, coverage, run_summary
from fedssl.paper.products.registry import get_product
from fedssl.paper.text_table import SCALED

Content = dict[str, Any]


def write_page(
    spec: Mapping[str, Any],
    *,
    claims: str | None,
    contradictions: str,
    published: Iterable[str],
    certificate: str,
    path: str | Path,
) -> None:
    """Write the report as one HTML file.

    Args:
        spec: What `fedssl.paper.page.plan.page_spec` returns.
        claims: Path of `claims.csv`; None if no paper's study was run.
        contradictions: Path of `contradictions.yaml`.
        published: Files of published numbers.
        certificate: Path of the certificate, as Markdown.
        path: Path of the page.
    """
    jobs = Jobs(Links(path))
    figures = [figure_content(e["figure"], e["record"]) for e in spec["products"] if e["figure"]]
    published = list(published)
    numbers = _numbers(spec, jobs=jobs, notes=published_notes(published))
    panels = numbers["panels"]
    panels |= row_panels([*numbers["gains"], *numbers["others"]], jobs)
    panels |= figure_panels(figures, jobs)
    places = _places(numbers["tables"])
    shown = read_claims(read_rows(claims) if claims else [], places=places)
    content = {
        **numbers,
        "claims": shown,
        "claim_counts": claim_counts(shown),
        "choices": choices(numbers["tables"], shown),
        "scatter": scatter(numbers["tables"]),
        "forest": forest(shown),
        "lanes": gain_lanes(numbers["gains"]),
        "figures": figures,
        "maps": read_maps(spec["products"]),
        "contradictions": []
        if spec.get("own", False)
        else read_contradictions(contradictions, places=places),
        "wrong_averages": wrong_averages(published, places=places),
        "certificate": {
            "title": certificate_title(spec),
            "file": Path(certificate).name,
            "blocks": read_certificate(certificate),
        },
    }
    data = jobs.as_data()
    content["run"] = run_summary(data["jobs"], data["git"])
    data |= {name: spec[name] for name in ("command", "legend", "repository")} | {"numbers": panels}
    scores = list(shown_scores(data))
    data |= {"maps": content["maps"], "confusions": confusions(scores)}
    data |= {"examples": read_examples(scores, spec["examples"])}
    content["data"] = _packed(data)
    write_text(path, render(content, spec=spec))


def render(content: Content, *, spec: Mapping[str, Any]) -> str:
    """Return the HTML of the page; all texts from data are escaped."""
    environment = templates_in(TEMPLATES)
    environment.filters["with_arxiv"] = with_arxiv
    scripts = ("page.js", "maps.js", "confusion.js", "examples.js", "provenance.js")
    script = "".join(map(_text, scripts))
    return environment.get_template("page.html").render(
        **content,
        spec=spec,
        scaled=spec["scale"] != "paper",
        scaled_words=SCALED,
        script=Markup(script),
        # Results can come from others, so the browser must run only this script and load nothing.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src '{_hash(script)}'",
    )


def _numbers(
    spec: Mapping[str, Any], *, jobs: Jobs, notes: Mapping[tuple[str, ...], str]
) -> Content:
    shown: dict[str, list[Content]] = {"numbers": [], "gains": [], "rows": []}
    for entry in spec["products"]:
        product = get_product(entry["kind"])
        if product.shown:
            shown[product.shown].append(entry)
    tables = [read_table(e["table"], jobs, axes=e["axes"], notes=notes) for e in shown["numbers"]]
    return {
        "tables": tables,
        "gains": [read_gains(e["table"], e["record"], axes=e["axes"]) for e in shown["gains"]],
        "others": [_other(entry) for entry in shown["rows"]],
        "panels": {slug: detail for table in tables for slug, detail in table["numbers"].items()},
        "coverage": coverage(tables),
    }


def _places(tables: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return study -> name of a cell, as the evidence of a claim spells it, -> its anchor."""
    places: dict[str, dict[str, str]] = {}
    for table in tables:
        places.setdefault(table["study"], {}).update(table["places"])
    return places


def _other(entry: Mapping[str, Any]) -> Content:
    text_table = get_product(entry["kind"]).text_table
    if text_table is None:
        raise TypeError(f"The product {entry['kind']} is shown as rows but has no text_table.")
    return read_other(entry["table"], entry["record"], text_table=text_table, axes=entry["axes"])


def _packed(data: Content) -> str:
    """Return data as base64 of gzipped JSON, which takes a fifth of the space."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    # With the current time in its header, gzip would write other bytes on every run.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
