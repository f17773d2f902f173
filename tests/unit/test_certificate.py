import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fedssl.files import sha256
from fedssl.paper.certificate import NOTHING_REPRODUCED, write_certificate
from fedssl.paper.claims.claims import COLUMNS as CLAIM_COLUMNS
from fedssl.paper.tables import COLUMNS
from fedssl.record.read import read_records
from fedssl.record.seal import is_sealed, provenance_root
from tests.unit.runs import HARDWARE, record

ROWS = [  # row, column, published, verdict
    ("ours", "A", 10.0, "reproduced"),
    ("ours", "B", 20.0, "differs"),
    ("ours", "C", 30.0, "not-run"),
    ("random", "A", None, "not-run"),
    ("random", "B", None, "scaled"),
    ("random", "C", None, "not-run"),
    ("wide", "A", 11.0, "not-run"),
    ("wide", "B", 21.0, "not-run"),
    ("theirs|", "A", 12.0, "published-only"),
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    frame = pd.DataFrame(ROWS, columns=["row", "column", "published", "verdict"])
    frame = frame.assign(study="fssuavl", table="2").reindex(columns=list(COLUMNS))
    frame.to_csv(tmp_path / "fssuavl_table2.csv", index=False)
    claim = dict.fromkeys(CLAIM_COLUMNS, "") | {"paper": "fssuavl", "published": "holds"}
    claims = [claim | {"measured": "fails", "scaled": True}, claim | {"measured": "not-run"}]
    pd.DataFrame(claims).to_csv(tmp_path / "claims.csv", index=False)
    (tmp_path / "lock").write_text("torch==2.11.0\n")
    published = "study,table,row,column,protocol,value,page,note\n"
    rows = ["fssuavl,2,ours,A,knn,10.0,6,\n", "fssuavl,4,ours,A,knn,10.0,7,\n"]
    (tmp_path / "published.csv").write_text("".join([published, *rows]))
    return {
        "claims": tmp_path / "claims.csv",
        "published": [tmp_path / "published.csv"],
        "lock": tmp_path / "lock",
        "path": tmp_path / "certificate.md",
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    root = tmp_path / "results"
    record(root / "pretrain/a/provenance.json", "pretrain", hardware=HARDWARE | {"gpu": "H200"})
    record(root / "pretrain/old/provenance.json", "pretrain", git={"commit": "d" * 40, "dirty": 1})
    bank = root / "banks/cifar10/bank.json"
    wildcards = {"dataset": "cifar10"}
    record(
        bank.with_name("provenance.json"), "bank_images", inputs=["x/c.tgz"], wildcards=wildcards
    )
    bank.write_text(json.dumps({"counts": {"train": 5000, "test": 10}, "bad": ["one"]}))
    return root


def certify(results: Path, files: dict[str, Any], scale: str = "paper", note: str = "") -> str:
    spec = {
        "scale": scale,
        "scale_note": note,
        "results": str(results),
        "studies": ["FSSUAVL"],
        "tables": [files["path"].with_name("fssuavl_table2.csv")],
        "seeds": [0, 1],
        "cells": ["pretrain/a/provenance.json", "pretrain/b/provenance.json"],
        "datasets": {"cifar10": "CIFAR-10"},
    }
    write_certificate(spec, **files)
    text: str = files["path"].read_text()
    return text


def test_a_scaled_run_claims_nothing(results, files):
    text = certify(results, files, "scaled", "mini: *20* clients")
    assert f"**{NOTHING_REPRODUCED}**" in text
    assert "numbers reproduce" not in text
    assert r"mini: \*20\* clients" in text
    assert "| fssuavl | as measured here, scaled: decides nothing | 0 | 1 | 0 | 1 |" in text


def test_a_run_at_the_papers_scale_claims_what_the_verdicts_say(results, files):
    text = certify(results, files)
    headline = (
        "1 of 2 compared numbers reproduce the published one, 1 differ (0.1 would by chance), "
        "and 0 decide nothing; 3 published numbers were not"
    )
    assert headline in text and NOTHING_REPRODUCED not in text
    assert "| fssuavl\\_table2 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 1 | 3 | 1 | 2 |" in text


def test_the_certificate_says_by_what_and_from_what(results, files):
    text = certify(results, files)
    for words in (
        f"| code | {'c' * 40}, clean (2 jobs); {'d' * 40}, with uncommitted changes (1 jobs) |",
        "| jobs with uncommitted or unknown code | 1 |",
        "AMD EPYC, 2 cores, H200 (1 jobs, 1.00 h)",
        "| hours with a GPU, without a GPU | 1.00, 2.00 (",
        "| pretrainings | 1 of 2 declared were run; found 1 undeclared |",
        "| seeds | 0, 1 |",
        "2026-11-21T10:00:00+00:00 to 2026-11-21T11:00:00+00:00",
        "Python 3.11.7, torch 2.11.0 (3 jobs)",
        f"| requirements.lock | sha256 {sha256(files['lock'])} |",
        f"| cifar10 | CIFAR-10 | train 5,000, test 10 | 1 | c.tgz {'f' * 64} |",
    ):
        assert words in text, words


def test_the_certificate_carries_the_root_of_the_records(results, files):
    text = certify(results, files)
    root = provenance_root(r.content["digest"] for r in read_records(results) if is_sealed(r))
    assert f"    {root}\n" in text and f"3, seal sha256 {root}" in text


def test_each_missing_number_has_its_reason(results, files):
    text = certify(results, files)
    for words in (
        "rows not measured in this run: wide.",
        "columns not measured in this run: C.",
        "single numbers not measured: random (A).",
        r"quoted from other papers, which are never rerun: theirs\|.",
        "- fssuavl table 4: this configuration has no such table.",
    ):
        assert words in text, words


def test_thousands_of_own_files_take_one_line(results, files):
    inputs = [f"recordings/{number}.wav" for number in range(5000)]
    wildcards = {"dataset": "cifar10"}
    path = results / "banks/cifar10/provenance.json"
    record(path, "bank_images", inputs=inputs, wildcards=wildcards)
    text = certify(results, files)
    assert "| 5000 files, together " in text and "recordings/7.wav" not in text


def test_a_dataset_of_another_configuration_is_said_to_be_one(results, files):
    bank = results / "banks/my-sounds/bank.json"
    wildcards = {"dataset": "my-sounds"}
    record(bank.with_name("provenance.json"), "bank_waveforms", inputs=[], wildcards=wildcards)
    bank.write_text(json.dumps({"counts": {"train": 3}, "bad": []}))
    assert "| my-sounds | not declared in this run | train 3 |" in certify(results, files)
