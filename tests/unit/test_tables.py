"""The rows of a table: what is averaged, published, flagged or not run."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import binomtest

from fedssl.errors import UserError
from fedssl.paper.measurement import measure
from fedssl.paper.tables import COLUMNS
from tests.unit.made_up_tables import cell, cells_of, rows, spec, write


def test_columns_are_the_contract():
    assert ", ".join(COLUMNS) == (
        "study, table, row, column, published, measured, std, n_seeds, n_eval, delta, verdict, "
        "cell, task, protocol, low, high, chance, random_init, flags, predicted_low, "
        "predicted_high, seed_sd, seed_degrees, seeds_needed, reason, tau, tau_low, tau_high"
    )


def test_a_row_says_what_was_averaged_and_between_which_bounds(tmp_path, published):
    found = rows(spec(cell(tmp_path, 0, img=50.0, c10=60.0)), published)
    one, average = found["Ours", "IMG kNN"], found["Ours", "Avg. kNN"]
    assert (one["task"], one["protocol"]) == ("img", "knn")
    assert (average["task"], average["protocol"]) == ("img c10", "knn")
    wilson = binomtest(200, 400).proportion_ci(method="wilson")
    assert (one["low"], one["high"]) == pytest.approx((100 * wilson.low, 100 * wilson.high))


def test_seeds_and_tasks_are_averaged(tmp_path, published):
    seeds = [cell(tmp_path, 0, img=50.0, c10=60.0), cell(tmp_path, 1, img=53.0, c10=58.0)]
    found = rows(spec(*seeds), published)
    one, average = found["Ours", "IMG kNN"], found["Ours", "Avg. kNN"]
    assert (one["measured"], one["n_seeds"], one["n_eval"]) == (51.5, 2, 400)
    assert one["std"] == pytest.approx(3 / math.sqrt(2))
    assert one["delta"] == pytest.approx(1.5)
    assert one["cell"] == " ".join(seed["cell"] for seed in seeds)
    # 55 and 55.5 per seed: the spread of the average is not that of its tasks.
    assert (average["measured"], average["n_eval"]) == (55.25, 800)
    assert average["std"] == pytest.approx(0.5 / math.sqrt(2))


def test_a_single_seed_has_no_std(tmp_path, published):
    found = rows(spec(cell(tmp_path, 0, img=50.0, c10=60.0)), published)
    assert math.isnan(found["Ours", "IMG kNN"]["std"])


def test_scaled_numbers_have_no_delta(tmp_path, published):
    given = spec(cell(tmp_path, 0, img=50.0, c10=60.0), scale="scaled")
    found = rows(given, published)
    assert found["Ours", "IMG kNN"]["verdict"] == "scaled"
    assert math.isnan(found["Ours", "IMG kNN"]["delta"])
    assert found["Ours", "IMG kNN"]["published"] == 50.0
    assert found["Later", "IMG kNN"]["verdict"] == "not-run"


def test_what_was_not_run_has_no_measured_number(tmp_path, published):
    found = rows(spec(cell(tmp_path, 0, img=50.0)), published)
    not_run = {key for key, record in found.items() if record["verdict"] == "not-run"}
    assert not_run == {
        ("Ours", "C-10 kNN"),
        ("Ours", "Avg. kNN"),  # an average needs all its tasks
        ("Ours", "IMG L.P"),  # published, and no protocol of this table
        ("Later", "IMG kNN"),
        ("Later", "C-10 kNN"),
        ("Later", "Avg. kNN"),
        ("Later", "IMG L.P"),
    }
    for key in not_run:
        assert math.isnan(found[key]["measured"])
        assert math.isnan(found[key]["delta"])
        assert found[key]["n_seeds"] == 0
        assert pd.isna(found[key]["n_eval"])
    assert found["Ours", "C-10 kNN"]["published"] == 60.0
    assert found["Ours", "C-10 kNN"]["cell"].endswith("seed0/model.safetensors")
    assert found["Ours", "IMG L.P"]["published"] == 70.0
    assert found["Ours", "IMG L.P"]["cell"] == ""


def test_a_metric_file_that_is_gone_is_not_run(tmp_path, published):
    seed = cell(tmp_path, 0, img=50.0, c10=60.0)
    Path(seed["metrics"]["knn"]["img"]).unlink()
    found = rows(spec(seed), published)
    assert found["Ours", "IMG kNN"]["verdict"] == "not-run"
    assert found["Ours", "C-10 kNN"]["verdict"] == "inconclusive"


def test_only_complete_seeds_count_and_are_named(tmp_path, published):
    seeds = [cell(tmp_path, 0, img=50.0), cell(tmp_path, 1, img=53.0, c10=58.0)]
    average = rows(spec(*seeds), published)["Ours", "Avg. kNN"]
    assert (average["measured"], average["n_seeds"]) == (55.5, 1)
    assert average["cell"] == seeds[1]["cell"]


def test_a_published_only_row_has_only_what_was_published(published):
    found = rows(spec(), published)
    assert {column for row, column in found if row == "Theirs"} == {"C-10 kNN"}
    assert found["Theirs", "C-10 kNN"]["verdict"] == "published-only"
    assert found["Theirs", "C-10 kNN"]["published"] == 71.58


def test_random_init_has_no_published_number_and_names_its_metric_file(tmp_path, published):
    given, seed = spec(), cell(tmp_path, 0, img=20.0, c10=30.0)
    row = {"row": "random init", "declared": True, "cells": [seed | {"cell": None}]}
    given["rows"].append(row)
    found = rows(given, published)["random init", "IMG kNN"]
    assert (found["verdict"], found["cell"]) == (
        "no-published-number",
        seed["metrics"]["knn"]["img"],
    )


def test_a_doubted_number_is_shown_and_decides_nothing(tmp_path, published):
    given = spec(cell(tmp_path, 0, img=40.0, c10=60.0))
    held = rows(given, published)["Ours", "IMG kNN"]
    doubted = {"not_held_to": [{"row": "Ours", "column": "IMG", "protocol": "knn"}]}
    found = rows(given | doubted, published)
    shown = found["Ours", "IMG kNN"]
    assert found["Ours", "C-10 kNN"]["verdict"] == held["verdict"] == "inconclusive"
    assert not pd.isna(held["delta"])
    assert shown["verdict"] == "no-published-number" and pd.isna(shown["delta"])
    assert shown["published"] == held["published"] and shown["measured"] == 40.0


def test_the_number_of_a_round_has_no_interval_of_an_accuracy(tmp_path):
    path = tmp_path / "best-round.json"
    metric = {"task": "img", "protocol": "best-round", "value": 50.0, "n_eval": 100}
    metric |= {"rounds": [300], "predictions": "best-round.parquet"}
    path.write_text(json.dumps(metric))
    metrics = {protocol: {"img": str(path)} for protocol in ("best-round", "chosen-round")}
    cells = [{"seed": 0, "cell": "model", "metrics": metrics}]
    place = {"tasks": ["img"], "row": "Ours", "column": "IMG"}
    chosen, seeds = measure(cells, "chosen-round", **place)
    assert (chosen["measured"], chosen["low"], chosen["high"], seeds.error) == (300, *[None] * 3)
    best, seeds = measure(cells, "best-round", **place)
    assert best["low"] < 50 < best["high"] and seeds.error > 0


def test_an_undeclared_row_is_not_run_whatever_files_lie_there(tmp_path, published):
    given = spec()
    given["rows"][1]["cells"] = [cell(tmp_path, 0, img=40.0, c10=60.0)]
    assert rows(given, published)["Later", "IMG kNN"]["verdict"] == "not-run"


def test_a_published_row_without_a_place_is_named(published):
    given = spec()
    given["rows"][0]["row"] = "Our"
    with pytest.raises(
        UserError, match="row 'Ours' has no place in demo table 2; its rows are Our"
    ):
        rows(given, published)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": "c10"}, "holds knn on c10; it must hold knn on img"),
        ({"value": 101.0}, "holds value 101.0 over 400 samples"),
        ({"n_eval": 0}, "holds value 50.0 over 0 samples"),
        ({"value": None}, "lacks value"),
    ],
)
def test_a_metric_file_of_something_else_is_named(tmp_path, published, changed, said):
    seed = cell(tmp_path, 0, img=50.0, c10=60.0)
    path = Path(seed["metrics"]["knn"]["img"])
    data = json.loads(path.read_text(encoding="utf-8")) | changed
    kept = {name: value for name, value in data.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(f"{path} {said}")):
        rows(spec(seed), published)


def test_seeds_on_other_samples_are_refused(tmp_path, published):
    seeds = [cell(tmp_path, 0, 400, img=50.0), cell(tmp_path, 1, 256, img=50.0)]
    with pytest.raises(UserError, match=r"counts 256 samples and .* 400; seeds of one number"):
        rows(spec(*seeds), published)


def judged(folder: Path, seed: int, **facts: Any) -> dict[str, Any]:
    """Return a seed whose scores have facts to judge them by, and whose random start has scores."""
    own = cell(folder / "trained", seed, img=50.0, c10=60.0)
    before = cell(folder / "before", seed, img=20.0 + seed, c10=30.0)
    for task, path in own["metrics"]["knn"].items():
        chance = {"img": 10.0, "c10": 20.0}[task]
        metric = json.loads(Path(path).read_text()) | {"chance": chance} | facts
        Path(path).write_text(json.dumps(metric))
    return own | {"random_init": before["metrics"]}


def test_a_number_stands_next_to_chance_and_to_its_random_start(tmp_path, published):
    found = rows(spec(judged(tmp_path, 0), judged(tmp_path, 2)), published)
    known = {
        name: (r["chance"], r["random_init"]) for (row, name), r in found.items() if row == "Ours"
    }
    assert known["IMG kNN"] == pytest.approx((10.0, 21.0))
    assert known["Avg. kNN"] == pytest.approx((15.0, 25.5))
    text = write(spec(judged(tmp_path, 0)), published, folder=tmp_path)
    assert ["chance", "10.00", "20.00", "15.00", "—"] in cells_of(text["md"])


def test_a_seed_without_a_random_start_leaves_the_number_without_one(tmp_path, published):
    lacking = judged(tmp_path, 1)
    lacking["random_init"] = {}
    found = rows(spec(judged(tmp_path, 0), lacking), published)
    assert math.isnan(found["Ours", "IMG kNN"]["random_init"])


@pytest.mark.parametrize(
    ("facts", "flag", "note"),
    [
        ({"collapsed": True}, "collapsed", "Collapsed encoder"),
        ({"backbone_change": 0.0}, "unmoved", "Pretraining did not change the weights"),
        ({"dropped_updates": 3}, "dropped-updates", "Updates of clients were dropped"),
        ({"duplicates": 2}, "duplicates", "Some scored samples are also training samples"),
        ({"unseen_classes": 1}, "unseen-classes", "Some scored classes have no training sample"),
        (
            {"collapsed": False, "backbone_change": 0.1, "dropped_updates": 0, "duplicates": 0},
            "",
            None,
        ),
    ],
)
def test_a_number_that_means_little_is_flagged(tmp_path, published, facts, flag, note):
    given = spec(judged(tmp_path, 0), judged(tmp_path, 1, **facts))
    found = rows(given, published)
    assert {r["flags"] for (row, c), r in found.items() if row == "Ours" and "kNN" in c} == {flag}
    text = write(given, published, folder=tmp_path)
    notes = [line for line in text["md"].splitlines() if note and line.startswith(note)]
    assert len(notes) == (note is not None)
    if note:
        assert notes[0].endswith(": Ours (IMG kNN, C-10 kNN, Avg. kNN).")
