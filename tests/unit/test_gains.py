import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fedssl.errors import UserError
from fedssl.paper.products.gains import COLUMNS, build_gains, write

LABELS = np.arange(10_000) % 4


def metric(
    path: Path, correct: np.ndarray, *, task: str, first: int = 1000, protocol: str = "knn"
) -> str:
    """Write a metric and its predictions; wrong ones are one class off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = LABELS[: len(correct)]
    frame = pd.DataFrame(
        {
            "position": first + np.arange(len(correct)),
            "label": labels,
            "prediction": np.where(correct, labels, (labels + 1) % 4),
        }
    )
    # The order of the file is not the order of the samples.
    frame.sample(frac=1, random_state=len(path.name)).to_parquet(path.with_suffix(".parquet"))
    data = {"task": task, "protocol": protocol, "value": 100 * float(correct.mean())}
    data |= {"n_eval": len(correct), "predictions": f"{path.stem}.parquet"}
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)


def right(count: int, samples: int = 200) -> np.ndarray:
    return np.arange(samples) < count


def task(folder: Path, name: str, before: list[int], after: list[int]) -> dict[str, Any]:
    return {
        "task": name,
        "after": [
            metric(folder / f"{name}-trained{seed}.json", right(count), task=name)
            for seed, count in enumerate(after)
        ],
        "before": [
            metric(folder / f"{name}-random{seed}.json", right(count), task=name)
            for seed, count in enumerate(before)
        ],
    }


def spec(*tasks: dict[str, Any], scale: str = "paper") -> dict[str, Any]:
    comparison = {"row": "Ours|R-18", "modality": "image", "pretrained_on": True}
    return {
        "study": "demo",
        "scale": scale,
        "scale_note": "mini: 20 clients",
        "comparisons": [comparison | {"tasks": list(tasks)}],
    }


def only(given: dict[str, Any]) -> dict[str, Any]:
    frame = build_gains(given)
    assert tuple(frame.columns) == COLUMNS
    (record,) = frame.to_dict("records")
    return record


def test_the_gain_is_the_mean_over_tasks_and_seeds(tmp_path):
    # 100 -> 120 and 130 of 200 gain 10 and 15 points; 40 -> 40 gains nothing.
    tasks = task(tmp_path, "a", [100, 100], [120, 130]), task(tmp_path, "b", [40] * 2, [40] * 2)
    record = only(spec(*tasks))
    assert record["gain"] == pytest.approx(12.5 / 2)
    assert (record["tasks"], record["n_seeds"], record["n_eval"]) == ("a b", 2, 400)
    assert record["status"] == "measured"
    assert record["low"] < record["gain"] < record["high"]


def test_seeds_that_disagree_do_not_exclude_zero(tmp_path):
    # Gains of +5, -2 and +1 points: their mean is above zero, and surely so of these samples.
    after = [110, 96, 102]
    record = only(spec(task(tmp_path, "a", [100] * 3, after)))
    assert record["gain"] == pytest.approx(4 / 3)
    assert record["low"] < 0 < record["high"] and not record["excludes_zero"]
    assert record["interval_over"] == "samples and seeds"
    alone = only(spec(task(tmp_path, "b", [100], after[:1])))
    assert alone["excludes_zero"] and alone["interval_over"] == "samples of one seed"


def test_a_table_says_what_its_intervals_are_over(tmp_path):
    for seeds, words in ((1, "samples of this seed only"), (2, "covers samples and seeds")):
        given = spec(task(tmp_path, "a", [100] * seeds, [120] * seeds))
        write(given, {"csv": tmp_path / "gains.csv", "md": tmp_path / "gains.md"})
        assert words in (tmp_path / "gains.md").read_text(encoding="utf-8")


def test_the_interval_is_paired_and_over_samples(tmp_path):
    # 20 samples of 200 gained: 1.96 sqrt(.1 x .9 / 200) = 4.16 points either way.
    record = only(spec(task(tmp_path, "a", [100], [120])))
    expected = (10.0, 10 - 4.16, 10 + 4.16)
    assert (record["gain"], record["low"], record["high"]) == pytest.approx(expected, abs=0.5)


def test_a_loss_excludes_zero_and_no_gain_does_not(tmp_path):
    worse, same = task(tmp_path, "a", [120], [80]), task(tmp_path, "b", [80], [81])
    assert only(spec(worse))["gain"] == -20.0
    assert only(spec(worse))["excludes_zero"]
    assert not only(spec(same))["excludes_zero"]


@pytest.mark.parametrize("side", ["after", "before"])
def test_a_missing_file_is_not_run(tmp_path, side):
    given = task(tmp_path, "a", [100], [120])
    Path(given[side][0]).unlink()
    for record in (only(spec(given)), only(spec(given | {side: []})), only(spec())):
        assert (record["status"], record["n_seeds"]) == ("not-run", 0)
        assert pd.isna([record[name] for name in ("gain", "low", "high", "excludes_zero")]).all()


def test_other_samples_are_refused(tmp_path):
    given = task(tmp_path, "a", [100], [120])
    moved = metric(tmp_path / "moved.json", right(120), task="a", first=1001)
    with pytest.raises(UserError, match=r"moved\.json and .*random0\.json hold different"):
        only(spec(given | {"after": [moved]}))
    fewer = metric(tmp_path / "fewer.json", right(100, 128), task="a")
    with pytest.raises(UserError, match=r"fewer\.json and .* hold different samples of a"):
        only(spec(given | {"after": [fewer]}))


def test_predictions_that_do_not_belong_to_the_metric_are_refused(tmp_path):
    given = task(tmp_path, "a", [100], [120])
    path = Path(given["after"][0]).with_suffix(".parquet")
    frame = pd.read_parquet(path)
    frame.iloc[:-1].to_parquet(path)
    with pytest.raises(UserError, match=r"199 positions in 199 rows; .* counts 200 samples"):
        only(spec(given))
    pd.concat([frame.iloc[:-1], frame.iloc[:1]]).to_parquet(path)
    with pytest.raises(UserError, match="199 positions in 200 rows"):
        only(spec(given))
    frame.drop(columns="label").to_parquet(path)
    with pytest.raises(UserError, match="lacks the columns label"):
        only(spec(given))


@pytest.mark.parametrize("scale", ["paper", "scaled"])
def test_written_gains_say_whether_they_are_scaled(tmp_path, scale):
    given = spec(task(tmp_path, "a", [100], [120]), scale=scale)
    missing = {"task": "later", "after": [], "before": []}
    given["comparisons"].append(
        {"row": "Later", "modality": "audio", "pretrained_on": False, "tasks": [missing]}
    )
    write(given, {"csv": tmp_path / "out/gains.csv", "md": tmp_path / "out/gains.md"})
    frame = pd.read_csv(tmp_path / "out/gains.csv")
    assert tuple(frame.columns) == COLUMNS
    status = "measured" if scale == "paper" else "scaled"
    assert frame.status.tolist() == [status, "not-run"]
    assert frame.gain.isna().tolist() == [False, True]
    text = (tmp_path / "out/gains.md").read_text(encoding="utf-8")
    dagger = "" if scale == "paper" else "†"
    assert f"| Ours\\|R-18 | image | yes | a | 200 | +10.00{dagger} | " in text
    assert "| Later | audio | no | later | — | not run | — | — |" in text
    assert ("scaled: not comparable with the paper" in text.splitlines()[0]) == bool(dagger)


def test_written_gains_are_the_same_every_time(tmp_path):
    given = spec(task(tmp_path, "a", [100, 90], [120, 130]))
    for name in ("one", "two"):
        write(given, {"csv": tmp_path / f"{name}.csv", "md": tmp_path / f"{name}.md"})
    for kind in ("csv", "md"):
        first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("one", "two"))
        assert first == second
