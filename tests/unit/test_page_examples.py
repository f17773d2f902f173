"""The samples in the panel of a number: what is stored, and what the page shows."""

import base64
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.examples import picture, wave, write_examples
from fedssl.data.plan_banks import example_datasets, example_settings
from fedssl.files import read_json, write_json
from fedssl.paper.page.examples import read_examples
from fedssl.paper.page.plan import page_inputs, page_spec
from fedssl.paper.page.scores import shown_scores
from tests.unit.banks import clips, images, write
from tests.unit.figures import shipped_plan
from tests.unit.runs import record

TITLE = "Pets"


def stored(folder: Path, samples: Any, split: str) -> dict[str, Any]:
    write(samples, folder / "bank")
    write_examples(open_bank(folder / "bank"), folder / "examples.json", splits=[split])
    return read_json(folder / "examples.json")


def test_samples_of_a_split_are_stored_with_their_labels(tmp_path: Path) -> None:
    found = stored(tmp_path, images(60), "test")
    bank = open_bank(tmp_path / "bank")
    positions = [sample["position"] for sample in found["samples"]]
    assert len(set(positions)) == 12 and positions == sorted(positions)
    assert set(bank.splits[positions]) == {"test"}
    assert [sample["label"] for sample in found["samples"]] == bank.labels[positions].tolist()
    assert found["classes"] == ["ant", "cat", "dog"]
    before = (tmp_path / "examples.json").read_bytes()
    write_examples(bank, tmp_path / "examples.json", splits=["test"])
    assert (tmp_path / "examples.json").read_bytes() == before


def test_a_picture_is_small_and_of_its_sample() -> None:
    image = np.zeros((128, 96, 3), np.uint8)
    image[64:] = (250, 5, 5)
    small = Image.open(io.BytesIO(base64.b64decode(picture(image).split(",")[1])))
    assert small.size == (48, 64)
    top, bottom = (np.array(small.getpixel((24, y)), dtype=int) for y in (8, 56))
    assert abs(top).max() < 12 and abs(bottom - (250, 5, 5)).max() < 12
    assert picture(image[:, :, :1]).startswith("data:image/jpeg")


def test_a_wave_has_the_extremes_of_each_part(tmp_path: Path) -> None:
    sound = np.zeros(6000, np.int16)
    sound[150], sound[5999] = -32768, 16384
    found = wave(sound)
    assert len(found) == 60 and found[1] == [-100, 0] and found[59] == [0, 50]
    assert wave(np.zeros(3, np.float32)) == [[0, 0]] * 3
    samples = stored(tmp_path, clips((16000, 8000)), "train")["samples"]
    assert [sample["seconds"] for sample in samples] == [1.0, 0.5]


@pytest.fixture
def datasets(tmp_path: Path) -> dict[str, dict[str, Any]]:
    samples = [
        {"position": at, "label": label, "picture": f"data:{at}"}
        for at, label in [(4, 0), (6, 1), (9, 1)]
    ]
    write_json(tmp_path / "pets.json", {"classes": ["cat", "dog"], "samples": samples})
    return {
        "pets": {"title": TITLE, "file": str(tmp_path / "pets.json")},
        "lost": {"title": "Lost", "file": str(tmp_path / "lost.json")},
        "real": {"title": "Real", "file": None},
    }


def score(folder: Path, dataset: str, columns: dict[str, list[Any]]) -> Path:
    path = folder / dataset / "score.json"
    write_json(path, {"predictions": "score.parquet"})
    pd.DataFrame(columns).to_parquet(path.with_suffix(".parquet"))
    banks = [f"results/banks/{dataset}/bank.json"]
    record(path.with_name("provenance.json"), "evaluate", inputs=banks, outputs=[str(path)])
    return path


def test_a_score_says_what_it_predicted_for_the_samples_that_it_scored(
    datasets: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    columns = {"position": [3, 9, 4], "label": [0, 1, 0], "prediction": [1, 0, 0]}
    path = score(tmp_path, "pets", columns)
    found = read_examples([path], datasets)
    own = {"dataset": "pets", "shown": [[0, True, "cat"], [2, False, "cat"]]}
    assert found["scores"] == {str(path): own}
    assert list(found["datasets"]) == ["pets"]
    shown = found["datasets"]["pets"]
    assert [sample["class"] for sample in shown["samples"]] == ["cat", "dog", "dog"]
    assert shown["samples"][2]["picture"] == "data:9" and "note" not in shown


def test_retrieval_has_hits_and_no_predicted_class(
    datasets: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    columns = {"position": [4, 6], "label": [0, 1], "hit@1": [True, False], "hit@5": [True, True]}
    path = score(tmp_path, "pets", columns)
    (own,) = read_examples([path], datasets)["scores"].values()
    assert own["shown"] == [[0, True, None], [1, False, None]]


def test_a_sentence_says_why_there_are_none(
    datasets: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    columns = {"position": [4], "label": [0], "prediction": [1]}
    scores = [score(tmp_path, name, columns) for name in ("lost", "real", "of no task")]
    found = read_examples(scores, datasets)
    notes = [own["note"] for own in found["datasets"].values()]
    assert notes[0] == "No samples of Lost are stored with these results."
    assert "Real" in notes[1] and "licence" in notes[1] and len(notes) == 2
    assert all(own["shown"] == [] for own in found["scores"].values())


def test_only_made_up_and_own_samples_are_copied() -> None:
    assert example_datasets(shipped_plan()) == [] == page_inputs(shipped_plan())["examples"]
    own = {"cifar10": {"synthetic": True}, "speech-commands": {"folder": "mine"}}
    plan = shipped_plan(datasets=own)
    assert sorted(example_datasets(plan)) == sorted(own)
    files = [about["file"] for about in page_spec(plan)["examples"].values()]
    assert [file for file in files if file] == page_inputs(plan)["examples"]
    assert len(files) > 2 and None in files
    splits = example_settings(plan, SimpleNamespace(dataset="speech-commands"))["splits"]
    assert splits == ["test", "validation"]


@pytest.mark.parametrize("facts", [{}, {"scored": "a task", "round": True}])
def test_one_seed_of_each_score_is_read_and_no_other_step(facts: dict[str, object]) -> None:
    folders = [f"cell/seed{seed}/task" for seed in (0, 1)]
    steps = [{"path": [n, "knn.json"], "scored": "a task"} for n in (0, 1)]
    others = [{"path": [1, "other.json"], **facts}]
    found = shown_scores({"folders": folders, "steps": [*others, *steps]})
    assert list(found) == [Path(folders[0], "knn.json")]
