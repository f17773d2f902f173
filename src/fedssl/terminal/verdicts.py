"""The last lines of a run that made the report page: what holds, and where the page is."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fedssl.grid.plan import Plan
from fedssl.grid.snakemake_api import RunJob
from fedssl.paper.page.claims import claim_counts, read_claims
from fedssl.paper.page.plan import page_products
from fedssl.paper.page.records import read_rows
from fedssl.paper.page.summary import coverage
from fedssl.paper.plan import claims_files
from fedssl.paper.products.registry import get_product

_CLAIMS = {"holds": "hold", "fails": "fail", "undecided": "undecided", "not-run": "not run"}
_NUMBERS = {"scaled": "measured", "no-published-number": "measured", "differs": "differ"}


def page_of(jobs: Iterable[RunJob]) -> str:
    """Return the report page that one of some jobs writes, or ""."""
    return next((job.name for job in jobs if job.rule == "report_page"), "")


def print_verdicts(plan: Plan, page: str) -> None:
    """Print the counts of claims and numbers by verdict, and the path of the report page."""
    # Where Snakemake prints, too.
    print(*verdict_lines(plan), f"report: {page}", sep="\n", file=sys.stderr)


def verdict_lines(plan: Plan) -> list[str]:
    """Return the head of the report page as lines of text."""
    scaled = plan.grid.scale["scale"] != "paper"
    numbers = [
        entry for entry in page_products(plan) if get_product(entry["kind"]).shown == "numbers"
    ]
    counts = coverage(_table(entry["table"]) for entry in numbers)
    lines = [line for file in claims_files(plan) for line in _claims(file, scaled=scaled)]
    lines += [
        f"{title}: {_listed({item['verdict']: item['count'] for item in counts[kind]}, _NUMBERS)}"
        for title, kind in (("published numbers", "printed"), ("other numbers", "others"))
        if counts[kind]
    ]
    if scaled:
        lines.append(f"scaled: {plan.grid.scale['scale_note']}")
    return lines


def _claims(file: str, *, scaled: bool) -> Iterator[str]:
    """Yield the counts of the claims in print, and of the measured ones."""
    counts = claim_counts(read_claims(read_rows(file), places={}))
    yield f"claims in print: {_listed(_in_order(counts['published']), _CLAIMS)}"
    if scaled:
        compared = counts["compared"]["scaled"]
        yield f"claims measured: {compared} compared; scaled numbers decide no claim"
    else:
        yield f"claims measured: {_listed(_in_order(counts['measured']), _CLAIMS)}"


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in _CLAIMS if name in counts}


def _table(csv: str) -> Mapping[str, Any]:
    """Return the published number and the verdict of each cell, in the form that is counted."""
    cells = [
        {"published": row["published"] or None, "verdict": row["verdict"]} for row in read_rows(csv)
    ]
    return {"rows": [{"cells": cells}]}


def _listed(counts: Mapping[str, int], words: Mapping[str, str]) -> str:
    """Return counts as text, such as "17 hold, 5 fail, 11 undecided"."""
    return ", ".join(
        f"{count:,} {words.get(name, name.replace('-', ' '))}" for name, count in counts.items()
    )
