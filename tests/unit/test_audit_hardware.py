"""The audit's notes on hardware: jobs of one table on several machines, or not on this one."""

from pathlib import Path

import pytest

from fedssl.audit.audit import Audit, audit
from fedssl.audit.findings import Verdict
from fedssl.audit.hardware import this_machine
from fedssl.portable import LIMITS
from tests.unit.audits import found, swap
from tests.unit.results import CELL, sign


def run_on(results: Path, name: str, **hardware: str | None) -> None:
    """Forge the hardware of one job, or of all jobs below a folder."""
    for record in sorted(results.glob(name)):
        sign(record, lambda content: content["hardware"].update(hardware))


@pytest.fixture
def computed(results: Path) -> Path:
    """The same, with jobs that used torch on this machine."""
    for stage in ("pretrain", "evaluate"):
        instructions = this_machine()["instructions"]
        run_on(results, f"{stage}/**/*provenance.json", instructions=instructions)
    return results


def hardware_notes(result: Audit) -> dict[str, str]:
    notes = [note for unit in result.units for note in unit.notes]
    return {note.file: note.what for note in notes if "other hardware" in note.what}


@pytest.mark.parametrize("key", ["cpu", "gpu", "instructions"])
def test_a_table_whose_jobs_ran_on_two_machines_has_a_note(computed, key):
    assert not hardware_notes(audit(computed))
    run_on(computed, f"pretrain/{CELL}/provenance.json", **{key: "another"})
    result = audit(computed)
    assert result.passed
    notes = hardware_notes(result)
    # The table of the other study does not rest on the cell.
    assert "1 on " in notes["tables/fssuavl_table2"] and "another" in notes["tables/fssuavl_table2"]
    assert "tables/fassl_methods" not in notes


def test_tables_of_another_machine_have_a_note_unless_only_its_name_differs(computed):
    run_on(computed, "**/*provenance.json", host="another")
    assert not hardware_notes(audit(computed))
    run_on(computed, "**/*provenance.json", cpu="another")
    (what,) = {what.partition("; ")[2] for what in hardware_notes(audit(computed)).values()}
    assert what.startswith("this machine is ") and "another" not in what


def test_limits_of_a_portable_job_do_not_make_its_machine_another(computed):
    here = this_machine()["instructions"].split()[0]
    limited = " ".join([here, *(f"{name}={value}" for name, value in LIMITS.items())])
    run_on(computed, "**/*provenance.json", instructions=limited)
    assert not hardware_notes(audit(computed))
    run_on(computed, f"pretrain/{CELL}/provenance.json", instructions=here)
    assert f"({here} portable)" in hardware_notes(audit(computed))["tables/fssuavl_table2"]


def test_a_table_that_another_machine_computed_otherwise_says_so(results):
    table = results / "tables/fssuavl_table2.md"
    table.write_text(table.read_text().replace("†", "", 1))
    record = results / "tables/fssuavl_table2.provenance.json"
    swap(record, "outputs", table)
    assert "hardware" not in found(audit(results))["tables/fssuavl_table2.md"].what
    run_on(results, "tables/fssuavl_table2.provenance.json", cpu="another")
    finding = found(audit(results))["tables/fssuavl_table2.md"]
    assert finding.verdict is Verdict.TAMPERED and "other hardware" in finding.what


@pytest.mark.parametrize("forged", [3, {"cpu": ["x"], "instructions": {}}])
def test_hardware_that_is_none_is_no_crash(results, forged):
    record = results / f"pretrain/{CELL}/provenance.json"
    sign(record, lambda content: content.update(hardware=forged))
    assert audit(results).units
