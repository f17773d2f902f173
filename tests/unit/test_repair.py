"""`fedssl repair` where no job has to run: what it lists, removes and refuses."""

import json
import re
import shlex
from pathlib import Path

import pytest

from fedssl.command.run_configuration import configuration_of
from fedssl.lease import hold, lease_of
from tests.unit.audits import flip
from tests.unit.commands import fedssl
from tests.unit.results import CELL, MODEL
from tests.unit.runs import record
from tests.unit.test_leftovers import PART, put

DEMO = "results/demo"


def test_a_whole_folder_needs_nothing(folder: Path) -> None:
    for where in ((DEMO,), ()):
        result = fedssl("repair", *where)
        assert result.exit_code == 0 and result.stdout.startswith("nothing to repair"), where


def test_damage_is_listed_even_if_no_command_is_known(folder: Path) -> None:
    flip(folder / DEMO / MODEL)
    assert fedssl("repair", DEMO, "--quick").exit_code == 0
    result = fedssl("repair", DEMO)
    words = " ".join(result.stdout.replace("\n  ", "").split())
    assert result.exit_code == 1 and "has other content than its job wrote" in words
    assert "has no Snakefile of this project" in words
    found = json.loads(fedssl("repair", DEMO, "--json").stdout)
    assert [entry["file"] for entry in found["damaged"]] == [MODEL] and not found["command"]
    refused = fedssl("repair", DEMO, "--run")
    assert refused.exit_code == 2 and "has no Snakefile" in refused.stderr


def test_a_damaged_record_stays_if_nothing_is_known_to_make_it_again(folder: Path) -> None:
    record = (folder / DEMO / MODEL).with_name("provenance.json")
    record.write_text("{")
    refused = fedssl("repair", DEMO, "--run")
    assert refused.exit_code == 2 and "has no Snakefile" in refused.stderr
    assert record.read_text() == "{"


def test_nothing_is_removed_if_a_broken_link_is_not_why_nothing_is_planned(folder: Path) -> None:
    model = folder / DEMO / MODEL
    model.unlink()
    model.symlink_to("/scratch/gone")
    record = model.with_name("provenance.json")
    record.write_text("{")
    assert "rm -f" not in fedssl("repair", DEMO).stdout
    refused = fedssl("repair", DEMO, "--run")
    assert refused.exit_code == 2 and "has no Snakefile" in refused.stderr
    assert model.is_symlink() and record.read_text() == "{"


def test_another_configuration_than_that_of_the_run_is_refused(folder: Path) -> None:
    (folder / DEMO / MODEL).unlink()
    result = fedssl("repair", DEMO, "--config", "results_dir=results/else")
    words = " ".join(result.stdout.split())
    assert "which writes to results/else: name the configuration of the run" in words


def test_leftovers_are_listed_first_and_removed_only_if_asked(folder: Path) -> None:
    part = put(folder / DEMO / PART)
    result = fedssl("repair", DEMO)
    assert result.exit_code == 1 and "is the rest of a write" in result.stdout and part.exists()
    assert fedssl("repair", DEMO, "--run").exit_code == 0 and not part.exists()


def test_nothing_is_removed_while_a_job_runs(folder: Path) -> None:
    part = put(folder / DEMO / PART)
    with hold(lease_of(folder / DEMO / "state/pretrain/abc"), what="a cell"):
        refused = fedssl("repair", DEMO, "--run")
    assert refused.exit_code == 2 and "is being written by process" in refused.stderr
    assert part.exists()


def test_the_page_tells_the_configuration_of_its_run(folder: Path) -> None:
    words = ["snakemake", "--cores", "all", "--configfile", "config/demo.yaml", "my own.yaml"]
    words += ["--config", "seeds=[0]", "precision=fp32"]
    page = folder / DEMO / "report/index.provenance.json"
    page.parent.mkdir()
    record(page, "report_page", settings={"command": shlex.join(words)})
    expected = (["config/demo.yaml", "my own.yaml"], ["seeds=[0]", "precision=fp32"])
    assert configuration_of(folder / DEMO) == expected
    page.write_text(page.read_text().replace("seeds=[0]", "seeds=[1]"))
    assert configuration_of(folder / DEMO) == (["config/demo.yaml"], []), "a forged one is not used"


def test_without_a_page_the_folder_tells_a_shipped_configuration(folder: Path) -> None:
    assert configuration_of(folder / DEMO) == (["config/demo.yaml"], [])


@pytest.mark.parametrize("name", ["nowhere", f"{DEMO}/{MODEL}", f"pretrain/{CELL}"])
def test_what_is_no_results_folder_is_a_mistake(folder: Path, name: str) -> None:
    result = fedssl("repair", name)
    assert result.exit_code == 2
    assert re.search("is not a folder that you can read|does not exist", result.stderr)
