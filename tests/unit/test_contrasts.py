from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fedssl.files import write_json
from fedssl.paper.page.records import read_other
from fedssl.paper.products import contrasts, gains
from fedssl.paper.products.contrasts import COLUMNS, build_contrasts, write
from fedssl.paper.published import read_published
from tests.unit.figures import ROOT, shipped_plan
from tests.unit.test_gains import LABELS, metric, right


def spec(tasks, protocol="knn", scale="paper"):
    return {
        "study": "fassl",
        "title": "Backbone <only>",
        "protocol": protocol,
        "scale": scale,
        "scale_note": "demo: made up",
        "rows": [{"row": "ACOP FedAvg", "tasks": tasks}],
    }


def task(folder, name, before, after):
    files = {
        side: [metric(folder / f"{name}-{side}.json", right(count), task=name)]
        for side, count in (("before", before), ("after", after))
    }
    return {"task": name, "averaged": True, **files}


def test_each_task_and_their_mean_have_a_row(tmp_path):
    frame = build_contrasts(spec([task(tmp_path, "ks2", 100, 120), task(tmp_path, "dov", 40, 30)]))
    assert tuple(frame.columns) == COLUMNS
    assert frame["task"].tolist() == ["ks2", "dov", "mean"]
    assert frame["gain"].tolist() == pytest.approx([10.0, -5.0, 2.5])
    assert frame["excludes_zero"].tolist()[:2] == [True, True]
    assert frame["n_eval"].tolist() == [200, 200, 400]
    assert set(frame["status"]) == {"measured"}


def test_a_second_split_has_a_row_and_no_part_in_the_mean(tmp_path):
    tasks = [task(tmp_path, "ks2", 100, 120), task(tmp_path, "dov", 40, 30)]
    second = task(tmp_path, "ks2-test", 100, 160) | {"averaged": False}
    frame = build_contrasts(spec([*tasks, second])).set_index("task")
    assert frame["gain"].to_dict() == pytest.approx(
        {"ks2": 10.0, "dov": -5.0, "ks2-test": 30.0, "mean": 2.5}
    )
    lone = build_contrasts(spec([tasks[0], second]))
    assert lone["task"].tolist() == ["ks2", "ks2-test"]


@pytest.mark.parametrize(("row", "gain"), [("R-18 on audio", 2.25), ("ViT on audio", 1.80)])
def test_the_papers_own_numbers_give_the_papers_gain(tmp_path, row, gain):
    plan = shipped_plan(results=str(tmp_path), seeds=[0])
    given = contrasts.spec(plan, "fssuavl_unified")
    given["rows"] = [entry for entry in given["rows"] if entry["row"] == row]
    printed = read_published([ROOT / "config/published/fssuavl_table3.csv"])
    printed = printed.loc[printed["protocol"] == "knn"].set_index(["row", "column"])["value"]
    columns = {"epic-sounds": "Epic.K", "vggsound": "VGG.A"}
    arch = row.split()[0]
    for entry in given["rows"][0]["tasks"]:
        column = columns.get(entry["task"], "KS2")
        for side, name in (("before", "FASSL"), ("after", "FSSUAVL")):
            count = round(100 * printed[f"{name} {arch}", column])  # of 10,000 samples
            metric(Path(entry[side][0]), np.arange(10_000) < count, task=entry["task"])
    found = build_contrasts(given).set_index("task")["gain"]
    assert found["mean"] == pytest.approx(gain, abs=0.02)
    assert "speech-commands-test" in found


def test_one_task_has_no_mean_and_a_missing_file_is_no_number(tmp_path):
    lone = task(tmp_path, "ks2", 100, 100)
    lone["after"] = [str(tmp_path / "absent.json")]
    (record,) = build_contrasts(spec([lone])).to_dict("records")
    assert (record["task"], record["status"], record["n_seeds"]) == ("ks2", "not-run", 0)
    assert pd.isna(record["gain"])


def test_a_contrast_whose_tasks_nobody_declares_has_no_rows(tmp_path):
    write(spec([]), {"csv": tmp_path / "t.csv", "md": tmp_path / "t.md"})
    assert pd.read_csv(tmp_path / "t.csv").empty
    write_json(tmp_path / "t.provenance.json", {"settings": spec([])})
    record = tmp_path / "t.provenance.json"
    shown = read_other(tmp_path / "t.csv", record, text_table=contrasts.text_table, axes={})
    assert shown["rows"] == [] and len(shown["numeric"]) == len(shown["header"])


def test_retrieval_is_paired_by_hits(tmp_path):
    found = {}
    for side, count in (("before", 50), ("after", 60)):
        path = metric(tmp_path / f"{side}.json", right(count), task="ks2")
        hits = pd.DataFrame(
            {"position": np.arange(200), "label": LABELS[:200], "hit@1": right(count)}
        )
        hits.to_parquet(tmp_path / f"{side}.parquet")
        text = (tmp_path / f"{side}.json").read_text().replace('"knn"', '"retrieval"')
        (tmp_path / f"{side}.json").write_text(text)
        found[side] = [path]
    (record,) = build_contrasts(
        spec([{"task": "ks2", "averaged": True, **found}], "retrieval")
    ).to_dict("records")
    assert record["gain"] == pytest.approx(5.0) and record["low"] > 0


def test_two_protocols_of_one_cell_are_compared_as_two_cells_are(tmp_path):
    plan = shipped_plan(results=str(tmp_path), seeds=[0])
    given = contrasts.spec(plan, "fssuavl_recalibrated")
    given["rows"] = [row for row in given["rows"] if row["row"] == "FSSUAVL R-18"]
    for entry in given["rows"][0]["tasks"]:
        before, after = Path(entry["before"][0]), Path(entry["after"][0])
        assert before.parent == after.parent, "one cell, one task"
        metric(before, right(100), task=entry["task"])
        metric(after, right(120), task=entry["task"], protocol="knn-recalibrated")
    found = build_contrasts(given)
    assert found["gain"].tolist() == pytest.approx([10.0] * len(found)) and len(found) == 7


def test_a_scaled_table_says_so_and_escapes_its_title(tmp_path):
    given = spec([task(tmp_path, "ks2", 100, 120)], scale="scaled")
    write(given, {"csv": tmp_path / "t.csv", "md": tmp_path / "t.md"})
    text = (tmp_path / "t.md").read_text()
    assert "scaled" in text and "+10.00†" in text and "<only>" not in text
    assert pd.read_csv(tmp_path / "t.csv")["status"].tolist() == ["scaled"]


def test_gains_count_a_dataset_once():
    plan = shipped_plan(seeds=[0])
    tasks = {
        task["task"]
        for study in ("fssuavl", "fassl")
        for part in gains.spec(plan, f"{study}_random_init")["comparisons"]
        for task in part["tasks"]
    }
    assert "speech-commands" in tasks and "speech-commands-test" not in tasks


def test_less_data_is_held_against_all_of_it_on_audio():
    rows = contrasts.spec(shipped_plan(seeds=[0]), "fssuavl_less_data")["rows"]
    for row, arch in zip(rows, ("resnet18", "vit"), strict=True):
        for task in row["tasks"]:
            assert f"/{arch}/fedavg/a0-i0-b100/base/seed0/" in task["before"][0]
            assert f"/{arch}/fedavg/a33-i33-b34/base/seed0/" in task["after"][0]
        assert [t["task"] for t in row["tasks"] if t["averaged"]] == [
            *("epic-sounds", "vggsound", "speech-commands")
        ]
