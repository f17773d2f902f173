"""Which modules are the code of a job."""

import os
import sys
from pathlib import Path

import pytest

from fedssl.record import sources
from fedssl.record.parsed import ParsedSources
from fedssl.record.sources import reachable, source_digests
from tests.unit.figures import ROOT


def test_what_only_a_type_checker_imports_is_no_part_of_a_jobs_code() -> None:
    names = reachable(ROOT / "workflow/scripts/product.py", "fedssl.paper.products.table")
    assert "fedssl.paper.tables" in names
    assert "fedssl.grid.plan" not in names, "an edit of planning would rewrite every table"


def test_a_products_job_has_the_code_of_its_own_kind_only() -> None:
    names = reachable(ROOT / "workflow/scripts/product.py", "fedssl.paper.products.gains")
    kinds = {name for name in names if name.startswith("fedssl.paper.products.")}
    assert kinds == {f"fedssl.paper.products.{name}" for name in ("gains", "product", "registry")}


def test_digests_that_are_known_follow_an_edit_and_its_reversal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "RECHECK_SECONDS", -1.0)
    script = tmp_path / "script.py"
    digests = []
    for place, text in enumerate(
        ("import fedssl.errors", "import fedssl.files", "import fedssl.errors")
    ):
        script.write_text(text)
        os.utime(script, ns=(place, place))
        digests += [source_digests(script), source_digests(script)]
    first, again, edited, _, restored, _ = digests
    assert first == again == restored
    assert "fedssl.errors" in first and "fedssl.files" not in first
    assert "fedssl.files" in edited and edited["script.py"] != first["script.py"]


def test_digests_belong_to_the_caller(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import fedssl.errors")
    source_digests(script).clear()
    assert "fedssl.errors" in source_digests(script)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that keeps entries."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    reader = tmp_path / "reader.py"
    reader.write_text("first = 1")
    return reader


def test_what_was_parsed_is_kept_for_the_same_reader_only(reader: Path) -> None:
    _keep(reader, "key", [["fedssl"], [], "digest"])
    assert ParsedSources(reader).get("key") == [["fedssl"], [], "digest"]
    reader.write_text("second = 2")
    assert ParsedSources(reader).get("key") is None


def test_a_damaged_file_of_what_was_parsed_is_replaced(reader: Path) -> None:
    _keep(reader, "key", "entry")
    (kept,) = (reader.parent / "__pycache__").iterdir()
    kept.write_text('{"key": ["cut of')
    assert ParsedSources(reader).get("key") is None
    _keep(reader, "other", "entry")
    assert ParsedSources(reader).get("other") == "entry"


def test_runs_add_to_what_others_parsed(reader: Path) -> None:
    _keep(reader, "key", "entry")
    _keep(reader, "other", "entry")
    assert ParsedSources(reader).get("key") == ParsedSources(reader).get("other") == "entry"


def _keep(reader: Path, key: str, entry: object) -> None:
    parsed = ParsedSources(reader)
    parsed.add(key, entry)
    parsed.save()
