"""The audit of forgeries: records whose digests fit, but whose files or numbers do not."""

import shutil

import pandas as pd
import pytest

from fedssl.audit.audit import audit
from fedssl.audit.findings import Verdict
from fedssl.files import read_json, sha256, write_json
from tests.unit.audits import KNN, found, swap, verdict
from tests.unit.results import CELL, MODEL, sign

SUFFIXES = (".csv", ".parquet")


def test_a_bank_that_was_read_from_other_archives_than_declared_is_found(results):
    record = results / "banks/fsdd/provenance.json"
    (read,) = read_json(record)["inputs"].values()
    sign(record, lambda content: content["settings"].update(archives={"a": f"sha256:{read}"}))
    assert audit(results).passed
    sign(record, lambda content: content["settings"].update(archives={"a": f"sha256:{64 * '0'}"}))
    result = audit(results)
    assert found(result)["banks/fsdd/provenance.json"].verdict is Verdict.CHANGED_DATA
    assert not result.passed


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
