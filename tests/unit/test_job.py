"""The frame of a job: what it says of the code, of files it found itself, and of failures."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedssl.errors import UserError
from fedssl.files import read_json, sha256
from fedssl.job import job


class Outputs(list[str]):
    """A rule's outputs, one of them by name, as Snakemake gives them."""

    provenance: str


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    logging.basicConfig(level=level, handlers=handlers, force=True)


def snakemake(folder: Path) -> Any:
    """Return what Snakemake hands to a script, its code in `folder`."""
    (folder / "script.py").write_text("x = 1\n")
    outputs = Outputs([f"{folder}/made", f"{folder}/provenance.json"])
    outputs.provenance = outputs[1]
    return SimpleNamespace(
        rule="make",
        input=[],
        output=outputs,
        log=[f"{folder}/log"],
        params=SimpleNamespace(sources=["script.py"]),
        wildcards={},
        scriptdir=str(folder),
    )


@pytest.mark.parametrize("edited", ["x = 2\n", "x = (\n", None])
def test_the_record_names_the_code_that_ran_whatever_becomes_of_it(edited, tmp_path) -> None:
    given, source = snakemake(tmp_path), tmp_path / "script.py"
    began = sha256(source)
    with job(given):
        (tmp_path / "made").write_text("made")
        source.unlink() if edited is None else source.write_text(edited)
    record = read_json(given.output.provenance)
    assert record["sources"] == {str(source): began}
    assert record["outputs"] == {f"{tmp_path}/made": sha256(tmp_path / "made")}


def test_files_found_on_the_way_are_inputs_and_earlier_attempts_count(tmp_path) -> None:
    given = snakemake(tmp_path)
    (tmp_path / "elsewhere").write_text("a recording")
    with job(given, rate=3) as facts:
        (tmp_path / "made").write_text("made")
        facts |= {
            "further_inputs": [f"{tmp_path}/elsewhere"],
            "earlier_seconds": 3600.0,
            "bytes_up": 7,
        }
    record = read_json(given.output.provenance)
    assert record["inputs"] == {f"{tmp_path}/elsewhere": sha256(tmp_path / "elsewhere")}
    assert 3600 <= record["seconds"] < 3700 and record["bytes_up"] == 7
    assert record["settings"] == {"rate": 3}
    assert not {"further_inputs", "earlier_seconds"} & set(record)


def test_a_failure_is_in_the_log_even_after_the_work(tmp_path) -> None:
    given = snakemake(tmp_path)
    with pytest.raises(FileNotFoundError), job(given):
        pass  # and nothing was made
    log = (tmp_path / "log").read_text()
    assert "rule make failed" in log and f"{tmp_path}/made" in log
    assert not (tmp_path / "provenance.json").exists()


def test_a_users_mistake_is_one_sentence(tmp_path) -> None:
    given = snakemake(tmp_path)
    with pytest.raises(SystemExit, match=r"fedssl: k is 3; it must be 2\."), job(given):
        raise UserError("k is 3; it must be 2.")
    assert (tmp_path / "log").read_text().count("\n") == 1
