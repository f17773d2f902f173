import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import silhouette_samples

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.errors import UserError
from fedssl.evaluation.embedding_map import draw, embedding_map, lay_out, reduce, silhouette
from fedssl.federation.checkpoint import save_state
from tests.unit import banks

SETTINGS: dict[str, Any] = {
    "audio": {
        "sample_rate": 16000,
        "crop_seconds": 0.5,
        "n_fft": 512,
        "window": 400,
        "hop": 250,
        "mels": 16,
        "log_floor": 1e-6,
        "normalisation": "dataset",
        "statistics_clips": 64,
        "size": 32,
    },
    "image": {"size": 32, "mean": [0.5] * 3, "std": [0.2] * 3},
    "encoder": {"arch": "resnet18", "width": 8, "embedding_dim": 16},
    "datasets": [{"dataset": "shapes", "split": "train"}, {"dataset": "tones", "split": "train"}],
    "samples": 12,
    "components": 5,
    "perplexity": 4,
    "portable": False,
    "seed": 3,
    "threads": 1,
}
IDENTITY = {"study": "demo", "split": "a0-i0-b100", "seed": "3", "checkpoint": "round10"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("inputs")
    banks.write(banks.images(30, size=32), folder / "shapes", dataset="shapes")
    banks.write(banks.clips([8000] * 9), folder / "tones", dataset="tones")
    statistics = folder / "statistics.json"
    statistics.write_text(json.dumps({"mean": 0.0, "std": 1.0}), encoding="utf-8")
    save_state(initialise(0, **SETTINGS["encoder"]).state_dict(), folder / "model.safetensors")
    return {
        "checkpoint": str(folder / "model.safetensors"),
        "banks": [str(folder / name / "bank.json") for name in ("shapes", "tones")],
        "normalisation": str(statistics),
    }


def mapped(folder: Path, inputs: dict[str, Any], **changes: Any) -> tuple[Path, Path]:
    points, summary = folder / "map.parquet", folder / "map.json"
    embedding_map(
        SETTINGS | changes, identity=IDENTITY, points=str(points), summary=str(summary), **inputs
    )
    return points, summary


def test_the_same_job_gives_the_same_bytes_and_another_seed_other_samples(tmp_path, inputs):
    once, again = mapped(tmp_path / "once", inputs), mapped(tmp_path / "again", inputs)
    other = mapped(tmp_path / "other", inputs, seed=4)
    for one, two, three in zip(once, again, other, strict=True):
        assert one.read_bytes() == two.read_bytes() != three.read_bytes()
    positions = [pd.read_parquet(points)["position"].tolist() for points, _ in (once, other)]
    assert positions[0] != positions[1]


def test_a_map_has_a_row_a_sample_and_says_what_it_counted(tmp_path, inputs):
    points, summary = mapped(tmp_path, inputs)
    frame, facts = pd.read_parquet(points), json.loads(summary.read_text())
    assert list(frame) == ["position", "dataset", "modality", "label", "x", "y"]
    # Of the tones there are only nine.
    assert facts["samples"] == {"shapes": 12, "tones": 9} and facts["n_eval"] == len(frame) == 21
    assert frame["dataset"].value_counts().to_dict() == facts["samples"]
    assert set(zip(frame["dataset"], frame["modality"], strict=True)) == {
        ("shapes", "image"),
        ("tones", "audio"),
    }
    for name, path in zip(("shapes", "tones"), inputs["banks"], strict=True):
        bank, part = open_bank(Path(path).parent), frame[frame["dataset"] == name]
        assert part["label"].tolist() == bank.labels[part["position"]].tolist()
        assert set(bank.splits[part["position"]]) == {"train"}
    assert np.isfinite(frame[["x", "y"]]).all(axis=None)
    assert (facts["components"], facts["checkpoint"], facts["seed"]) == (5, "round10", 3)


def test_silhouettes_are_of_the_features_and_of_the_map(tmp_path, inputs):
    points, summary = mapped(tmp_path, inputs)
    frame, found = pd.read_parquet(points), json.loads(summary.read_text())["silhouette"]
    plane = frame[["x", "y"]].to_numpy()
    for group in ("dataset", "modality"):
        expected = silhouette_samples(plane, frame[group]).mean()
        assert found[group]["map"] == pytest.approx(expected)
        assert found[group]["features"] != pytest.approx(expected, abs=1e-4)
    # One dataset a modality here: both group alike.
    assert found["dataset"] == found["modality"]


def test_the_checkpoint_moves_the_points(tmp_path, inputs):
    other = tmp_path / "other.safetensors"
    save_state(initialise(1, **SETTINGS["encoder"]).state_dict(), other)
    before = pd.read_parquet(mapped(tmp_path / "a", inputs)[0])
    after = pd.read_parquet(mapped(tmp_path / "b", inputs | {"checkpoint": str(other)})[0])
    assert before["position"].equals(after["position"])
    assert not np.allclose(before[["x", "y"]], after[["x", "y"]])


def test_samples_are_drawn_once_each_from_their_split(inputs):
    bank = open_bank(Path(inputs["banks"][0]).parent)
    drawn = draw(bank, "train", count=15, seed=0)
    assert len(set(drawn.tolist())) == 15 and set(drawn) <= set(bank.indices("train"))
    assert drawn.tolist() == draw(bank, "train", count=15, seed=0).tolist() == sorted(drawn)
    assert drawn.tolist() != draw(bank, "train", count=15, seed=1).tolist()
    assert draw(bank, "test", count=99, seed=0).tolist() == bank.indices("test").tolist()
    # Over many seeds each sample is drawn as often as any other: 15 of 20.
    often = np.zeros(len(bank))
    for seed in range(400):
        often[draw(bank, "train", count=15, seed=seed)] += 1
    assert np.ptp(often[bank.indices("train")]) / 400 < 0.15


def test_silhouettes_of_clusters_worked_out_by_hand():
    # Two pairs 10 apart, partners 1 apart: a = 1, b = 10 or (10 + 101 ** 0.5) / 2.
    points = np.array([[0, 0], [0, 1], [10, 0], [10, 1]], dtype=float)
    apart = (10 + 101**0.5) / 2
    assert silhouette(points, pd.Series(list("aabb"))) == pytest.approx(1 - 1 / apart)
    # Groups that cross the pairs: a = 10 for each, b = (1 + 101 ** 0.5) / 2.
    crossed = (1 + 101**0.5) / 2
    assert silhouette(points, pd.Series(list("abab"))) == pytest.approx(crossed / 10 - 1)


def test_clusters_stay_clusters_on_the_map():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 20)) * 8
    groups = pd.Series(np.repeat(list("abc"), 30))
    features = np.repeat(centres, 30, axis=0) + rng.normal(size=(90, 20))
    plane = lay_out(reduce(features, components=10), perplexity=10, seed=0)
    assert plane.shape == (90, 2)
    assert silhouette(plane, groups) > 0.6
    assert abs(silhouette(plane, groups.sample(frac=1, random_state=0))) < 0.15


def test_pca_keeps_distances_and_no_more_components_than_there_are():
    features = np.random.default_rng(0).normal(size=(9, 4))
    reduced = reduce(features, components=50)
    assert reduced.shape == (9, 4)
    before, after = (np.linalg.norm(x[:, None] - x[None], axis=2) for x in (features, reduced))
    assert np.allclose(before, after)
    # Components come by their variance: of two along the first axis, the first is it.
    stretched = features * [100, 1, 1, 1]
    first = reduce(stretched, components=1)[:, 0]
    assert abs(np.corrcoef(first, stretched[:, 0])[0, 1]) > 0.999


def test_too_few_samples_for_the_perplexity_are_named(tmp_path, inputs):
    with pytest.raises(UserError, match="perplexity is 30 and the map has 21 samples; it must"):
        mapped(tmp_path, inputs, perplexity=30)
    assert not list(tmp_path.iterdir())
