"""The last lines of a run: claims and numbers by verdict."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fedssl.grid.plan import Plan
from fedssl.terminal import verdicts
from fedssl.terminal.verdicts import verdict_lines
from tests.unit.figures import shipped_plan

CLAIM = dict.fromkeys(
    ("published_margin", "measured_margin", "low", "high", "published_evidence"), ""
) | {"id": "a", "paper": "fssuavl", "measured_evidence": "", "scaled": "False"}
CLAIMS = [
    {"published": "holds", "measured": "holds"},
    {"published": "holds", "measured": "undecided"},
    {"published": "fails", "measured": "not-run"},
]
NUMBERS = [
    {"published": "75.2", "verdict": "reproduced"},
    {"published": "45.6", "verdict": "differs"},
    {"published": "45.7", "verdict": "differs"},
    {"published": "", "verdict": "no-published-number"},
]


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The papers' grid at the papers' scale, with one table."""
    claims = write(tmp_path / "claims.csv", [CLAIM | claim for claim in CLAIMS])
    table = {"kind": "table", "table": write(tmp_path / "table.csv", NUMBERS)}
    monkeypatch.setattr(verdicts, "claims_files", lambda plan: [claims] if plan.papers else [])
    monkeypatch.setattr(verdicts, "page_products", lambda plan: [table])
    return shipped_plan()


def test_a_run_of_the_papers_scale_ends_with_its_verdicts(plan: Plan) -> None:
    assert verdict_lines(plan) == [
        "claims in print: 2 hold, 1 fail",
        "claims measured: 1 hold, 1 undecided, 1 not run",
        "published numbers: 1 reproduced, 2 differ",
        "other numbers: 1 measured",
    ]
