"""The audit: one flipped byte anywhere is found, and nothing else is."""

import os
import shutil
from pathlib import Path

import pytest

from fedssl.audit.audit import audit
from fedssl.audit.findings import Verdict
from fedssl.errors import UserError
from fedssl.files import digest, sha256
from tests.unit.audits import KNN, flip, found, swap, verdict
from tests.unit.results import CELL, MODEL, sign, write_results

RECORDS, FILES = "provenance.json", "the rest"


def test_a_finished_run_is_sound_wherever_it_lies(pristine, results):
    here, moved = audit(pristine), audit(results)
    assert {unit.verdict for unit in moved.units} == {Verdict.SOUND}
    assert here.passed and moved.passed and here.seal == moved.seal


def lower_a_digit(path: Path) -> None:
    text = path.read_text()
    place = max(text.rfind(digit) for digit in "123456789")
    path.write_text(f"{text[:place]}{int(text[place]) - 1}{text[place + 1 :]}")


def files(results: Path, kind: str) -> list[Path]:
    every = sorted(path for path in results.rglob("*") if path.is_file())
    return [path for path in every if path.name.endswith(RECORDS) == (kind == RECORDS)]


@pytest.mark.parametrize("kind", [RECORDS, FILES])
def test_a_flipped_byte_in_any_file_is_found_and_named(results, kind):
    flipped = files(results, kind)
    kinds = {(path.relative_to(results).parts[0], path.suffix) for path in flipped}
    assert len(kinds) == (9 if kind == RECORDS else 20)
    for path in flipped:
        flip(path)
    named = found(audit(results))
    verdicts = {path: named[path.relative_to(results).as_posix()].verdict for path in flipped}
    assert set(verdicts.values()) == {Verdict.TAMPERED}


@pytest.mark.parametrize("kind", [RECORDS, FILES])
def test_a_changed_digit_in_any_text_is_found_and_named(results, kind):
    texts = (".json", ".csv", ".md", ".tex")
    changed = [path for path in files(results, kind) if path.suffix in texts]
    for path in changed:
        lower_a_digit(path)
    named = found(audit(results))
    verdicts = {path: named[path.relative_to(results).as_posix()].verdict for path in changed}
    assert set(verdicts.values()) == {Verdict.TAMPERED}


@pytest.mark.parametrize("name", [f"{KNN}.parquet", "banks/fsdd/provenance.json", "claims.csv"])
def test_one_flipped_byte_fails_the_audit_and_spares_the_rest(results, name):
    flip(results / name)
    result = audit(results)
    assert not result.passed
    assert found(result)[name].verdict is Verdict.TAMPERED
    assert verdict(result, "banks", "cifar10") is Verdict.SOUND


def test_even_a_blank_more_in_a_record_is_found(results):
    record = results / "claims.provenance.json"
    record.write_text(f"{record.read_text()} ")
    assert found(audit(results))["claims.provenance.json"].verdict is Verdict.TAMPERED


def test_what_rests_on_a_bad_file_is_no_better(results):
    (results / "banks/cifar10/labels.npy").write_bytes(b"")
    result = audit(results)
    assert verdict(result, "cells", CELL) is Verdict.TAMPERED
    assert verdict(result, "tables", "fssuavl_table2") is Verdict.TAMPERED
    assert verdict(result, "banks", "fsdd") is Verdict.SOUND


@pytest.mark.parametrize("name", [MODEL, f"{KNN}.parquet", "tables/fssuavl_table2.tex"])
def test_a_missing_file_is_incomplete(results, name):
    (results / name).unlink()
    result = audit(results)
    assert not result.passed and found(result)[name].verdict is Verdict.INCOMPLETE


def test_recordings_that_were_not_passed_on_are_only_noted(results):
    seal = audit(results).seal
    shutil.rmtree(results / "archives")
    (results / "banks/fsdd/waveforms.npy").unlink()
    result = audit(results, seal=seal)
    assert result.passed
    notes = {note.file for unit in result.units for note in unit.notes}
    assert "banks/fsdd/waveforms.npy" in notes
    assert "banks/fsdd/waveforms.npy" in result.as_data()["not_verified"]


@pytest.mark.parametrize("name", [MODEL, "tables/fssuavl_table2.csv"])
def test_results_below_a_folder_of_archives_are_no_archives(pristine, tmp_path, name):
    results = shutil.copytree(pristine, tmp_path / "archives/2026")
    assert audit(results).passed
    (results / name).unlink()
    result = audit(results)
    assert found(result)[name].verdict is Verdict.INCOMPLETE and not result.passed


def test_archives_elsewhere_are_followed_by_their_own_records(tmp_path):
    results = write_results(tmp_path, data_dir="data")
    archive = tmp_path / "data/archives/fsdd/recordings.zip"
    assert audit(results).passed
    archive.write_bytes(b"another")
    assert found(audit(results))[str(archive)].verdict is Verdict.TAMPERED
    swap(archive.with_name("recordings.zip.provenance.json"), "outputs", archive)
    result = audit(results)  # fetched again, and it is not what the bank was read from
    assert found(result)[str(archive)].verdict is Verdict.CHANGED_DATA
    assert verdict(result, "cells", CELL) is Verdict.CHANGED_DATA and not result.passed
    shutil.rmtree(tmp_path / "data")
    assert audit(results).passed


@pytest.mark.parametrize("name", ["tables/fssuavl_table2.tex", "claims.csv"])
def test_a_folder_in_place_of_a_product_is_a_finding(results, name):
    (results / name).unlink()
    (results / name).mkdir()
    assert found(audit(results))[name].what.startswith("is not the file that")


@pytest.mark.parametrize("named", ["each file", "the folder"])
def test_a_folder_of_checkpoints_is_followed(results, named):
    folder = results / f"pretrain/{CELL}/milestones"
    folder.mkdir()
    for name in ("round1.safetensors", "round2.safetensors"):
        (folder / name).write_bytes(name.encode())
    hashes = {path.name: sha256(path) for path in folder.iterdir()}
    place = f"results/demo/pretrain/{CELL}/milestones"
    files = {f"{place}/{name}": value for name, value in hashes.items()}
    outputs = files if named == "each file" else {place: digest(hashes)}
    sign(
        results / f"pretrain/{CELL}/provenance.json",
        lambda content: content["outputs"].update(outputs),
    )
    assert audit(results).passed
    (folder / "round2.safetensors").write_bytes(b"another")
    result = audit(results)
    name = folder.relative_to(results).as_posix()
    name += "/round2.safetensors" if named == "each file" else ""
    assert found(result)[name].verdict is Verdict.TAMPERED


def test_a_deleted_record_leaves_files_that_nobody_wrote(results):
    (results / f"pretrain/{CELL}/provenance.json").unlink()
    result = audit(results)
    assert found(result)[MODEL].verdict is Verdict.INCOMPLETE
    assert verdict(result, "cells", CELL) is Verdict.INCOMPLETE


def test_a_planted_file_has_no_record(results):
    shutil.copy(results / f"{KNN}.json", results / "evaluate/planted.json")
    assert found(audit(results))["evaluate/planted.json"].verdict is Verdict.INCOMPLETE


def test_a_metric_without_its_predictions_is_incomplete(results):
    (results / f"{KNN}.parquet").unlink()
    assert verdict(audit(results), "cells", CELL) is Verdict.INCOMPLETE


def test_a_record_that_is_no_record_is_tampered_not_a_crash(results):
    for content in ("", "[]", '{"inputs": 3}', '{"outputs": {"a": 1}}', '{"seconds": NaN}'):
        (results / "claims.provenance.json").write_text(content)
        assert found(audit(results))["claims.provenance.json"].verdict is Verdict.TAMPERED


def test_what_may_not_be_looked_at_is_not_at_hand(results, monkeypatch):
    private = f"{results}/evaluate"
    nameless = f"results/demo/{'x' * 300}.csv"
    for name in (nameless, "\0"):
        sign(
            results / "claims.provenance.json",
            lambda content, name=name: content["inputs"].update({name: "0" * 64}),
        )
    look, may = os.stat, os.access

    def stat(path, **options):
        if str(path).startswith(private):
            raise PermissionError(path)
        return look(path, **options)

    def access(path, mode):
        return not str(path).startswith(private) and may(path, mode)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "access", access)
    result = audit(results)
    assert found(result)[f"{KNN}.json"].verdict is Verdict.INCOMPLETE and not result.passed


def test_a_file_that_may_not_be_read_is_not_at_hand(results, monkeypatch):
    def read(path):
        if path.name == "model.safetensors":
            raise PermissionError(path)
        return sha256(path)

    monkeypatch.setattr("fedssl.audit.chain.sha256", read)
    assert found(audit(results))[MODEL].verdict is Verdict.INCOMPLETE


def test_a_folder_without_records_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"has no provenance\.json"):
        audit(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        audit(tmp_path / "missing")
