"""Records: which files they name, and what code they hold."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fedssl.errors import UserError
from fedssl.files import read_json, sha256, write_json
from fedssl.record.inputs import Inputs
from fedssl.record.read import Record, read_record
from fedssl.record.write import code_facts, write_provenance


def test_the_folder_of_results_is_found_under_any_output(tmp_path):
    root = tmp_path / "x/tables/out"
    for name in ("figures/a.pdf", "tables/a.csv"):
        (root / name).parent.mkdir(parents=True)
        (root / name).touch()
    outputs = {f"x/tables/out/{name}": "" for name in ("figures/a.pdf", "tables/a.csv")}
    record = Record(root / "tables/a.provenance.json", root, {"outputs": outputs}, "")
    assert record.prefix == "x/tables/out"
    assert list(record.files("outputs")) == [root / "figures/a.pdf", root / "tables/a.csv"]


def test_the_files_of_a_record_are_looked_for_once(results, monkeypatch):
    located = Counter()
    locate = Record.locate

    def counted(record, name):
        located[record.path, name] += 1
        return locate(record, name)

    monkeypatch.setattr(Record, "locate", counted)
    record = read_record(results / "claims.provenance.json", results)
    assert record.files("inputs") and record.files("inputs") is record.files("inputs")
    assert set(located.values()) == {1}


def test_a_job_records_the_files_in_a_folder_and_code_without_comments(tmp_path):
    (tmp_path / "milestones").mkdir()
    (tmp_path / "milestones/round1").write_text("1")
    source = tmp_path / "code.py"
    codes = []
    for text in ("x = 1\n", "# why\nx = 1\n", "x = 2\n"):
        source.write_text(text)
        write_provenance(
            tmp_path / "provenance.json",
            rule="r",
            wildcards={},
            settings={},
            inputs=Inputs([str(tmp_path / "milestones")]).digests(),
            outputs=[],
            code=code_facts([source]),
            started=datetime.now(UTC),
            facts={},
        )
        record = read_json(tmp_path / "provenance.json")
        assert record["inputs"] == {
            f"{tmp_path}/milestones/round1": sha256(tmp_path / "milestones/round1")
        }
        codes.append(record["code"][str(source)])
    assert codes[0] == codes[1] != codes[2]


@pytest.mark.parametrize(
    ("name", "record", "output"),
    [
        ("model.safetensors", "provenance.json", "model.safetensors"),
        ("milestones/round2.safetensors", "provenance.json", "milestones"),
        ("claims.csv", "claims.provenance.json", "claims.csv"),
        ("notes.zip", "notes.zip.provenance.json", "notes.zip"),
    ],
)
def test_a_job_refuses_a_file_that_is_not_the_one_its_job_wrote(tmp_path, name, record, output):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("as written")
    write_provenance(
        tmp_path / record,
        rule="r",
        wildcards={},
        settings={},
        inputs={},
        outputs=[str(tmp_path / output)],
        code=code_facts([Path(__file__)]),
        started=datetime.now(UTC),
        facts={},
    )
    assert Inputs([str(file)]).digests() == {str(file): sha256(file)}
    file.write_text("of a seed")
    with pytest.raises(UserError, match=f"{file} has other content than its job wrote"):
        Inputs([str(file)])
    changed = read_json(tmp_path / record) | {"rule": "s"}
    write_json(tmp_path / record, changed)
    Inputs([str(file)])


def test_files_without_a_record_are_taken_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("requirements.lock", "config/claims.yaml"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("x")
        assert Inputs([name]).digests() == {name: sha256(name)}
