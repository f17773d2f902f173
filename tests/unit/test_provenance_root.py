import hashlib
import json
from pathlib import Path

import pytest

from fedssl.errors import UserError
from fedssl.record.read import read_records, whole
from fedssl.record.seal import is_sealed, provenance_root
from tests.unit.runs import record


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        record(tmp_path / name / "provenance.json", "pretrain", wildcards={"name": name})
    record(tmp_path / "tables/t.provenance.json", "table")
    return tmp_path


def root(results: Path) -> str:
    records = map(whole, read_records(results))
    return provenance_root(found.content["digest"] for found in records if is_sealed(found))


def test_the_root_is_what_sort_and_sha256sum_give(results):
    digests = [json.loads(p.read_text())["digest"] for p in results.rglob("*provenance.json")]
    assert len(digests) == 3
    text = "\n".join(sorted(digests)) + "\n"
    assert root(results) == hashlib.sha256(text.encode()).hexdigest()


def test_the_root_changes_with_any_record_and_not_with_its_place(results):
    before = root(results)
    record(results / "three/provenance.json", "evaluate")
    added = root(results)
    (results / "three/provenance.json").unlink()
    assert before == root(results) != added
    (results / "one/provenance.json").unlink()
    assert root(results) not in (before, added)
    record(results / "elsewhere/provenance.json", "pretrain", wildcards={"name": "one"})
    assert root(results) == before


@pytest.mark.parametrize("rule", ["audit", "certificate", "crate", "report_page"])
def test_what_is_written_about_the_results_leaves_the_root_alone(results, rule):
    before = root(results)
    record(results / f"{rule}.provenance.json", rule)
    assert root(results) == before


def test_a_changed_record_is_refused(results):
    path = results / "one/provenance.json"
    path.write_text(path.read_text().replace("AMD", "NVIDIA"))
    with pytest.raises(UserError, match=r"one/provenance\.json .* does not match its digest"):
        root(results)
