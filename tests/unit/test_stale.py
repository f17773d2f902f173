"""A job is forced if its record holds other settings, or is missing next to outputs."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.io import IOFile

from fedssl.record.stale import StaleResults
from tests.unit.runs import record


def forced_by(folder: Path, settings: Any, *, calls: int = 1) -> tuple[set[str], list[str]]:
    """Return what is forced for the record of seed 0, and the inputs that its rule gets."""
    names = ("model.safetensors", "provenance.json")
    rule = SimpleNamespace(output=[IOFile(f"{folder}/seed{{seed}}/{name}") for name in names])
    workflow = SimpleNamespace(dag=SimpleNamespace(forcefiles=set()), rules=[rule])
    stale = StaleResults(workflow, str(folder))
    given = (lambda _: settings) if settings else None
    no_inputs = stale.rerun(given, record="<results>/seed{seed}/provenance.json")
    inputs = [path for _ in range(calls) for path in no_inputs({"seed": "0"})]
    return workflow.dag.forcefiles, inputs


def test_a_record_that_agrees_or_is_missing_forces_nothing(tmp_path: Path) -> None:
    assert forced_by(tmp_path, {"lr": 1}) == (set(), [])
    record(tmp_path / "seed0/provenance.json", "pretrain", settings={"lr": 1, "sizes": [1, 2]})
    assert forced_by(tmp_path, {"lr": 1, "sizes": (1, 2)}) == (set(), []), "JSON has no tuples"


def test_a_missing_record_forces_its_job_if_an_output_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0/log.txt").touch()
    assert forced_by(tmp_path, {"lr": 1}) == (set(), [])
    (tmp_path / "seed0/model.safetensors").touch()
    path = str(tmp_path / "seed0/provenance.json")
    assert forced_by(tmp_path, None, calls=2) == ({path}, [])
    (said,) = caplog.records
    assert said.getMessage() == f"{path} is missing, so its job runs again"
    assert vars(said)["differs"] == ["its record is missing"]


def test_a_record_that_differs_forces_its_job_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = record(tmp_path / "seed0/provenance.json", "pretrain", settings={"lr": 1})
    record(tmp_path / "seed1/provenance.json", "pretrain", settings={"lr": 3})
    assert forced_by(tmp_path, {"lr": 2}, calls=3) == ({str(path)}, [])
    (said,) = caplog.records
    assert said.getMessage() == f"settings in {path} differ, so its job runs again: lr: 1 -> 2"
    assert (vars(said)["record"], vars(said)["differs"]) == (str(path), ["lr: 1 -> 2"])


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"settings": {"lr": 1}})])
def test_a_damaged_record_forces_its_job(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seed0/provenance.json"
    path.parent.mkdir()
    path.write_text(text)
    assert forced_by(tmp_path, {"lr": 1})[0] == {str(path)}
