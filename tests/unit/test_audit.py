"""The audit: one flipped byte anywhere is found, and nothing else is."""

import os
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from fedssl.audit.audit import Audit, audit
from fedssl.audit.findings import Finding, Verdict
from fedssl.audit.hardware import this_machine
from fedssl.errors import UserError
from fedssl.files import digest, read_json, sha256, write_json
from fedssl.portable import LIMITS
from fedssl.record.read import Record, read_record
from fedssl.record.write import code_facts, write_provenance
from tests.unit.results import CELL, MODEL, sign, write_results

KNN = f"evaluate/{CELL}/cifar10/knn"
SUFFIXES = (".csv", ".parquet")
RECORDS, FILES = "provenance.json", "the rest"


@pytest.fixture
def results(pristine: Path, tmp_path: Path) -> Path:
    """A copy, moved to where nobody wrote it."""
    return shutil.copytree(pristine, tmp_path / "elsewhere")


def found(result: Audit) -> dict[str, Finding]:
    """Return the worst finding of each file."""
    findings = [finding for unit in result.units for finding in unit.findings]
    return {f.file: f for f in sorted(findings, key=lambda f: [*Verdict].index(f.verdict))}


def verdict(result: Audit, kind: str, name: str) -> Verdict:
    return next(unit.verdict for unit in result.units if (unit.kind, unit.name) == (kind, name))


def swap(record: Path, side: str, path: Path) -> None:
    """Forge a record: let it say the present SHA-256 of one of its files."""

    def change(content: dict) -> None:
        name = next(n for n in content[side] if n.endswith(path.name))
        content[side][name] = sha256(path)

    sign(record, change)


def test_a_finished_run_is_sound_wherever_it_lies(pristine, results):
    here, moved = audit(pristine), audit(results)
    assert {unit.verdict for unit in moved.units} == {Verdict.SOUND}
    assert here.passed and moved.passed and here.seal == moved.seal


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


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
    assert len(kinds) == (9 if kind == RECORDS else 19)
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


def test_a_bank_that_was_read_from_other_archives_than_declared_is_found(results):
    record = results / "banks/fsdd/provenance.json"
    (read,) = read_json(record)["inputs"].values()
    sign(record, lambda content: content["settings"].update(archives={"a": f"sha256:{read}"}))
    assert audit(results).passed
    sign(record, lambda content: content["settings"].update(archives={"a": f"sha256:{64 * '0'}"}))
    result = audit(results)
    assert found(result)["banks/fsdd/provenance.json"].verdict is Verdict.CHANGED_DATA
    assert not result.passed


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


def test_a_checkpoint_replaced_with_its_record_breaks_the_chain(results):
    (results / MODEL).write_bytes(b"another")
    swap(results / f"pretrain/{CELL}/provenance.json", "outputs", results / MODEL)
    result = audit(results)
    assert not result.passed
    assert found(result)[MODEL].verdict is Verdict.CHANGED_DATA
    assert verdict(result, "tables", "fssuavl_table2") is Verdict.CHANGED_DATA


def test_a_forged_accuracy_is_held_against_the_predictions(results):
    path = results / f"{KNN}.json"
    write_json(path, read_json(path) | {"value": 99.0})
    swap(results / f"{KNN}.provenance.json", "outputs", path)
    finding = found(audit(results))[f"{KNN}.json"]
    assert finding.verdict is Verdict.TAMPERED and "predictions give" in finding.what


@pytest.fixture
def scored(results):
    """Rounds that were scored, and the record of the job."""
    rounds = results / f"evaluate/{CELL}/cifar10/rounds.csv"
    pd.DataFrame(
        {"round": [1], "metric": ["R@1"], "value": [50.0], "n_eval": [2], "protocol": ["knn"]}
    ).to_csv(rounds, index=False)
    hits = pd.DataFrame({"round": [1, 1], "hit@1": [True, False]})
    hits.to_parquet(rounds.with_suffix(".parquet"), index=False)

    def change(content: dict) -> None:
        places = [f"results/demo/{rounds.relative_to(results).with_suffix(s)}" for s in SUFFIXES]
        hashes = [sha256(rounds.with_suffix(suffix)) for suffix in SUFFIXES]
        content |= {"rule": "score_rounds", "outputs": dict(zip(places, hashes, strict=True))}

    record = rounds.with_name("rounds.provenance.json")
    shutil.copy(results / f"{KNN}.provenance.json", record)
    sign(record, change)
    return rounds


def test_forged_scores_of_rounds_are_held_against_the_hits(results, scored):
    assert audit(results).passed
    scored.write_text(scored.read_text().replace("50.0", "99.0"))
    swap(scored.with_name("rounds.provenance.json"), "outputs", scored)
    finding = found(audit(results))[scored.relative_to(results).as_posix()]
    assert finding.verdict is Verdict.TAMPERED and "stored hits give" in finding.what


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rounds_without_scores_or_hits_are_incomplete(results, scored, suffix):
    scored.with_suffix(suffix).unlink()
    result = audit(results)
    assert verdict(result, "cells", CELL) is Verdict.INCOMPLETE and not result.passed


@pytest.mark.parametrize("content", ["", "round,metric\n1,2\n"])
def test_damaged_scores_of_rounds_are_tampered_not_a_crash(results, scored, content):
    scored.write_text(content)
    swap(scored.with_name("rounds.provenance.json"), "outputs", scored)
    assert verdict(audit(results), "cells", CELL) is Verdict.TAMPERED


def test_a_metric_without_its_predictions_is_incomplete(results):
    (results / f"{KNN}.parquet").unlink()
    assert verdict(audit(results), "cells", CELL) is Verdict.INCOMPLETE


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["settings"].update(rows=3),  # a TypeError
        lambda content: content["settings"].update(columns=[[]]),
        lambda content: content["outputs"].update({"results/demo/tables/x.tsv": "0" * 64}),
        lambda content: content.update(packages=[]),
        lambda content: content.update(code=[]),
    ],
)
def test_a_damaged_record_of_a_table_is_tampered_not_a_crash(results, change):
    sign(results / "tables/fssuavl_table2.provenance.json", change)
    assert verdict(audit(results), "tables", "fssuavl_table2") is Verdict.TAMPERED


def test_claims_of_no_claims_file_are_tampered_not_a_crash(results):
    def change(content: dict) -> None:
        content["inputs"] = {k: v for k, v in content["inputs"].items() if "claims" not in k}

    sign(results / "claims.provenance.json", change)
    assert verdict(audit(results), "results", "claims") is Verdict.TAMPERED


@pytest.mark.parametrize("records", [[], ["a"], 3, {"a": 1, "b": "c"}, None])
def test_a_damaged_audit_is_tampered_not_a_crash(results, records):
    write_json(results / "audit.json", {"records": records, "seal": "0" * 64})
    assert found(audit(results))["audit.json"].verdict is Verdict.TAMPERED


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda frame: frame.assign(label=frame["prediction"]), "labels that differ"),
        (lambda frame: frame.assign(position=frame["position"] + 1), "samples that differ"),
        (lambda frame: frame[frame["label"] == frame["prediction"]], "samples that differ"),
    ],
)
def test_forged_predictions_are_held_against_the_bank(results, forge, words):
    metric, samples = results / f"{KNN}.json", results / f"{KNN}.parquet"
    frame = forge(pd.read_parquet(samples))
    frame.to_parquet(samples, index=False)
    value = 100.0 * float((frame["label"] == frame["prediction"]).mean())
    write_json(metric, read_json(metric) | {"value": value, "n_eval": len(frame)})
    for path in (metric, samples):
        swap(results / f"{KNN}.provenance.json", "outputs", path)
    assert words in found(audit(results))[f"{KNN}.json"].what


def test_a_task_of_another_name_than_its_bank_is_held_against_it(results):
    """Such is the second split of a dataset that is a task of its own."""
    metric, samples = results / f"{KNN}.json", results / f"{KNN}.parquet"
    frame = pd.read_parquet(samples)
    frame.assign(label=frame["prediction"]).to_parquet(samples, index=False)
    write_json(metric, read_json(metric) | {"value": 100.0, "task": "cifar10-test"})
    record = results / f"{KNN}.provenance.json"
    sign(record, lambda content: content["wildcards"].update(task="cifar10-test"))
    for path in (metric, samples):
        swap(record, "outputs", path)
    assert "labels that differ" in found(audit(results))[f"{KNN}.json"].what
    sign(
        record,
        lambda content: content.update(
            inputs={k: v for k, v in content["inputs"].items() if not k.endswith("bank.json")}
        ),
    )
    assert "read none or several" in found(audit(results))[f"{KNN}.json"].what


def test_a_forged_table_does_not_come_out_again(results):
    table = results / "tables/fssuavl_table2.md"
    table.write_text(table.read_text().replace("†", "", 1))
    swap(results / "tables/fssuavl_table2.provenance.json", "outputs", table)
    finding = found(audit(results))["tables/fssuavl_table2.md"]
    assert finding.verdict is Verdict.TAMPERED and "computed again" in finding.what


def test_arrays_replaced_with_their_record_are_not_those_of_the_bank(results):
    array = results / "banks/fsdd/offsets.npy"
    array.write_bytes(array.read_bytes() + b"0")
    swap(results / "banks/fsdd/provenance.json", "outputs", array)
    assert found(audit(results))["banks/fsdd/offsets.npy"].verdict is Verdict.TAMPERED


def test_a_record_of_another_job_is_none_of_this_one(results):
    name = f"pretrain/{CELL}/provenance.json"
    shutil.copy(results / f"{KNN}.provenance.json", results / name)
    assert found(audit(results))[name].verdict is Verdict.TAMPERED


def test_a_seal_shows_even_what_was_forged_from_end_to_end(results):
    seal = audit(results).seal
    assert audit(results, seal=seal).passed
    sign(
        results / "figures/fssuavl_loss.provenance.json",
        lambda content: content["hardware"].update(gpu="H100"),
    )
    assert audit(results).passed  # in itself it is whole: only the seal tells
    assert not audit(results, seal=seal).passed


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


def test_code_edited_since_is_told_from_a_comment(results):
    record = results / f"pretrain/{CELL}/provenance.json"
    source = "src/fedssl/aggregators/fedavg.py"
    sign(record, lambda content: content["sources"].update({source: "0" * 64}))
    result = audit(results)
    assert verdict(result, "cells", CELL) is Verdict.SOUND
    notes = [note.what for unit in result.units for note in unit.notes]
    assert "differs from the code that ran only in comments or layout" in notes
    sign(record, lambda content: content["code"].update({source: "0" * 16}))
    result = audit(results)
    assert result.passed
    assert verdict(result, "cells", CELL) is Verdict.CHANGED_CODE
    assert verdict(result, "tables", "fssuavl_table2") is Verdict.CHANGED_CODE


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


def test_a_folder_without_records_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"has no provenance\.json"):
        audit(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        audit(tmp_path / "missing")


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
            inputs=[str(tmp_path / "milestones")],
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
