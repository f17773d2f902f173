"""What is written about the results, and so under no seal: the audit makes it again."""

import contextlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedssl.audit.audit import audit
from fedssl.provenance import write_provenance
from tests.unit.results import ROOT

CODE = ["Snakefile", "config/claims.yaml", "profiles/default/config.yaml"]


@pytest.fixture
def results(pristine: Path, tmp_path: Path) -> Path:
    """A copy where jobs would know it as results/demo."""
    return shutil.copytree(pristine, tmp_path / "results/demo")


def write_record(
    path: str, rule: str, *, inputs: list[str], outputs: list[str], spec: dict
) -> None:
    write_provenance(
        path,
        rule=rule,
        wildcards={},
        settings=spec,
        inputs=inputs,
        outputs=outputs,
        sources=[ROOT / f"workflow/scripts/{rule}.py"],
        started=datetime.now(UTC),
        facts={},
    )


def test_a_crate_spares_the_audit(results, tmp_path):
    for name in CODE:
        copy = results / "code" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    (results / "ro-crate-metadata.json").write_text("{}")
    with contextlib.chdir(tmp_path):
        write_record(
            "results/demo/crate.provenance.json",
            "crate",
            inputs=["results/demo/claims.csv", *(str(ROOT / name) for name in CODE)],
            outputs=["results/demo/ro-crate-metadata.json", "results/demo/code"],
            spec={},
        )
    assert audit(results).passed
    assert audit(shutil.move(results, tmp_path / "elsewhere")).passed
