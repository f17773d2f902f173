import numpy as np
import pandas as pd
import pytest

from fedssl.reporting.contrasts import COLUMNS, build_contrasts, write_contrasts
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


def test_one_task_has_no_mean_and_a_missing_file_is_no_number(tmp_path):
    lone = task(tmp_path, "ks2", 100, 100)
    lone["after"] = [str(tmp_path / "absent.json")]
    (record,) = build_contrasts(spec([lone])).to_dict("records")
    assert (record["task"], record["status"], record["n_seeds"]) == ("ks2", "not-run", 0)
    assert pd.isna(record["gain"])


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


def test_a_scaled_table_says_so_and_escapes_its_title(tmp_path):
    given = spec([task(tmp_path, "ks2", 100, 120)], scale="scaled")
    write_contrasts(given, csv=tmp_path / "t.csv", md=tmp_path / "t.md")
    text = (tmp_path / "t.md").read_text()
    assert "scaled" in text and "+10.00†" in text and "<only>" not in text
    assert pd.read_csv(tmp_path / "t.csv")["status"].tolist() == ["scaled"]
