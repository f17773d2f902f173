"""Jobs whose files are in a storage: same paths as without one, and what a storage cannot do."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.io import is_flagged
from snakemake.iocontainers import Namedlist

from fedssl.data.plan import bank_inputs
from fedssl.errors import UserError
from fedssl.federation.tracking import tensorboard
from fedssl.paper.plan import check_storage
from fedssl.record.storage import FOLDER, STARTED_IN, in_storage
from tests.unit.figures import shipped_plan

COPIES = ".snakemake/storage/fs/store"


def job() -> Any:
    """Return what Snakemake hands to the script of a job with a storage."""
    inputs = Namedlist(fromdict={"published": "config/a.csv"})
    inputs += [f"{COPIES}/results/b.json", f"{COPIES}/results/c.json"]
    inputs._set_name("metrics", 1, end=3)
    return SimpleNamespace(
        input=inputs,
        output=Namedlist(fromdict={"csv": f"{COPIES}/results/t.csv"}),
        log=Namedlist([f"{COPIES}/results/logs/t.log"]),
        params=Namedlist(fromdict={"state": "results/state/x"}),
    )


def test_a_job_works_in_the_folder_of_its_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, COPIES)
    monkeypatch.setenv("FEDSSL_PINS", "pins.yaml")
    monkeypatch.setenv(STARTED_IN, "")  # to be removed at the end
    monkeypatch.setenv("FEDSSL_MIRROR", "https://example.org/mirror")
    Path(COPIES).mkdir(parents=True)
    given = job()
    with in_storage(given):
        assert Path.cwd() == tmp_path / COPIES
        assert given.input.metrics == ["results/b.json", "results/c.json"]
        assert given.input.published == f"{tmp_path}/config/a.csv"
        assert list(given.input) == [given.input.published, *given.input.metrics]
        assert given.output.csv == "results/t.csv" and given.log[0] == "results/logs/t.log"
        assert given.params.state == f"{tmp_path}/results/state/x"
        assert os.environ["FEDSSL_PINS"] == f"{tmp_path}/pins.yaml"
        assert os.environ["FEDSSL_MIRROR"] == "https://example.org/mirror"
        with tensorboard("results/pretrain/cell", 0) as send:
            send(1, {"loss": 2.0})
        assert list((tmp_path / "runs/results/pretrain/cell").glob("events.*"))
    assert Path.cwd() == tmp_path


def test_without_a_storage_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FOLDER, raising=False)
    given = job()
    with in_storage(given):
        assert Path.cwd() == tmp_path and list(given.input) == list(job().input)


def test_folders_of_a_user_are_not_in_the_storage() -> None:
    own = {"modality": "image", "folder": "my-images"}
    plan = shipped_plan("demo.yaml", datasets={"mine": own})
    found = bank_inputs(plan, SimpleNamespace(dataset="mine"))
    assert found == {"folder": "my-images"}
    assert is_flagged(found["folder"], "local") and is_flagged(found["folder"], "ancient")


@pytest.mark.parametrize(
    "target", ["all", "audit", "certificate", "timeline", "results/report/index.html"]
)
def test_what_reads_all_records_is_refused(target: str) -> None:
    plan = shipped_plan("demo.yaml", data_dir="data")
    check_storage(plan, ["datasets_table", "fssuavl", "fssuavl_table2"])
    with pytest.raises(UserError, match=f"^{target} reads all records"):
        check_storage(plan, ["fssuavl", target])


def test_folders_must_be_relative() -> None:
    plan = shipped_plan("demo.yaml", results="/scratch/results", data_dir="data")
    with pytest.raises(UserError, match="results_dir is /scratch/results; with a storage"):
        check_storage(plan, ["fssuavl"])
