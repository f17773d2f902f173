"""Evaluation jobs on one task: the same score by two settings."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.torch import save_file

from fedssl.backbones.encoder import initialise
from fedssl.evaluation.evaluate import evaluate, evaluate_recalibrated
from fedssl.files import read_json
from tests.unit import banks
from tests.unit.test_evaluate_pairs import SETTINGS as PAIRS

OF_ALL = ("audio", "encoder", "image", "portable", "threads", "seed", "split")
COMMON = {key: PAIRS[key] for key in OF_ALL}
IDENTITY = {"study": "fssuavl", "seed": "0", "task": "toy"}


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, str]:
    banks.write(banks.images(60, size=8), tmp_path / "bank", dataset="toy")
    save_file(initialise(7, **COMMON["encoder"]).state_dict(), tmp_path / "m.safetensors")
    return {"bank": str(tmp_path / "bank/bank.json"), "model": str(tmp_path / "m.safetensors")}


def knn(folder: Path, inputs: dict[str, str], **changes: Any) -> pd.DataFrame:
    own = {"retrieval": {"ks": [1]}, **{key: PAIRS[key] for key in ("knn", "linear-probe")}}
    evaluate(
        COMMON | own | changes,
        identity=IDENTITY,
        inputs=inputs,
        metrics={"knn": str(folder / "knn.json")},
    )
    return pd.read_parquet(folder / "knn.parquet")


def test_recalibrated_knn_is_knn_with_that_setting(inputs: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "knn-recalibrated.json"
    evaluate_recalibrated(
        COMMON | {"knn": PAIRS["knn"]}, identity=IDENTITY, inputs=inputs, metric=str(path)
    )
    found = pd.read_parquet(path.with_suffix(".parquet"))
    set_so = knn(tmp_path / "set", inputs, recalibrate_batch_norm=True)
    assert found.equals(set_so)
    assert not found.equals(knn(tmp_path / "plain", inputs, recalibrate_batch_norm=False))
    score, other = read_json(path), read_json(tmp_path / "set/knn.json")
    assert score["protocol"] == "knn-recalibrated" and score["value"] == other["value"]
    assert {"chance", "feature_rank"} <= score.keys()
