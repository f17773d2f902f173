"""Jobs on pairs: what each protocol is shown, which encoder sees, which hears, who is counted."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.archives import write_archives
from fedssl.data.pairing import pair_split
from fedssl.evaluation.evaluate_pairs import evaluate_pairs
from fedssl.evaluation.features import extract_features
from fedssl.evaluation.knn import knn_predict
from fedssl.evaluation.paired import joined_features
from fedssl.evaluation.probe import fit_probe
from fedssl.evaluation.settings import LinearProbe
from fedssl.files import read_json
from fedssl.grid.paired_protocols import PAIRED_PROTOCOLS
from fedssl.paper.metrics import read_metric
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from fedssl.views.settings import ViewSettings
from fedssl.views.statistics import write_statistics
from tests.unit.archives import archive_paths
from tests.unit.federations import SETTINGS as CELL

CPU = torch.device("cpu")
PROBE = {"epochs": 3, "lr": 0.03, "milestones": [0.6], "decay": 0.1, "batch_size": 16}
SETTINGS = {
    **{key: CELL[key] for key in ("audio", "encoder", "image", "portable", "threads")},
    "by": "label",
    "knn": {"k": 5, "temperature": 0.1},
    "linear-probe": {**PROBE, "momentum": 0.9, "weight_decay": 0.0, "standardise": True},
    "modalities": ["image", "audio"],
    "recalibrate_batch_norm": False,
    "seed": 0,
    "split": "test",
}
IDENTITY = {"study": "fssuavl", "seed": "0", "task": "mnist-fsdd"}
SOUNDS = {"train": 40, "test": 27}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Banks of made-up digits, more of them seen than heard, and two checkpoints, a and b."""
    folder, found = tmp_path_factory.mktemp("pairs"), {}
    for modality, dataset, splits in (
        ("image", "mnist", {"train": 60, "test": 40}),
        ("audio", "fsdd", SOUNDS),
    ):
        paths = archive_paths(dataset, folder)
        write_archives(dataset, paths, classes=10, splits=splits, seed=0)
        entry = {"classes": 10, "splits": splits, "max_bad_share": 0.0}
        build_bank(dataset, paths, folder / modality, entry=entry)
        found[f"{modality}_bank"] = str(folder / modality / "bank.json")
    write_statistics(open_bank(folder / "audio"), folder / "statistics.json", audio=CELL["audio"])
    for seed, name in enumerate("ab"):
        encoder = initialise(100 + seed, **SETTINGS["encoder"])
        save_file(encoder.state_dict(), folder / f"{name}.safetensors")
        found[name] = str(folder / f"{name}.safetensors")
    return found | {"normalisation": str(folder / "statistics.json")}


def run(folder: Path, inputs: dict[str, str], *protocols: str, **changes: Any) -> dict[str, Any]:
    """Return protocol -> its predictions, found as the tables find them."""
    data = {key: path for key, path in inputs.items() if "bank" in key or key == "normalisation"}
    models = {key: inputs[changes.pop(key)] for key in list(changes) if key.endswith("model")}
    metrics = {protocol: str(folder / f"{protocol}.json") for protocol in protocols}
    evaluate_pairs(SETTINGS | changes, identity=IDENTITY, inputs=data | models, metrics=metrics)
    return {
        protocol: pd.read_parquet(
            read_metric(path, task="mnist-fsdd", protocol=protocol).predictions
        )
        for protocol, path in metrics.items()
    }


def features(inputs: dict[str, str], modality: str, model: str, split: str) -> Tensor:
    """Return the features of a split's pairs, written out again."""
    folders = [Path(inputs[f"{name}_bank"]).parent for name in ("image", "audio")]
    positions = pair_split(*folders, by="label", split=split, seed=0)[modality]
    bank = open_bank(folders[modality == "audio"])
    statistics = json.loads(Path(inputs["normalisation"]).read_text())
    views = Views(bank, typed(ViewSettings, SETTINGS), statistics=statistics, device=CPU)
    encoder = initialise(0, **SETTINGS["encoder"])
    encoder.load_state_dict(load_file(inputs[model]))
    return extract_features(encoder.backbone, views, positions, device=CPU)


def nearest(inputs: dict[str, str], memory: Tensor, queries: Tensor) -> list[int]:
    bank = open_bank(Path(inputs["audio_bank"]).parent)
    labels = torch.from_numpy(bank.labels[bank.indices("train")])
    found = knn_predict(queries, memory, bank_labels=labels, num_classes=10, **SETTINGS["knn"])
    return found.tolist()


def test_every_pair_is_scored_and_counted(inputs, tmp_path) -> None:
    found = run(tmp_path, inputs, *PAIRED_PROTOCOLS, model="a")
    bank = open_bank(Path(inputs["audio_bank"]).parent)
    images = open_bank(Path(inputs["image_bank"]).parent)
    for protocol, frame in found.items():
        metric = read_metric(tmp_path / f"{protocol}.json", task="mnist-fsdd", protocol=protocol)
        right = (frame["prediction"] == frame["label"]).sum()
        assert metric.n_eval == len(frame) == SOUNDS["test"]
        assert metric.value == pytest.approx(100 * right / SOUNDS["test"])
        assert frame["position"].tolist() == bank.indices("test").tolist()
        assert frame["label"].tolist() == bank.labels[bank.indices("test")].tolist()
        pairs = pd.read_parquet(tmp_path / f"{protocol}.parquet")["image"].to_numpy()
        assert images.labels[pairs].tolist() == frame["label"].tolist()
        assert set(pairs) <= set(images.indices("test"))


def test_knn_is_shown_the_pair_its_image_or_its_sound(inputs, tmp_path) -> None:
    found = run(tmp_path, inputs, "knn-av", "knn-v", "knn-a", model="a")
    image, audio = (
        [features(inputs, name, "a", split) for split in ("train", "test")]
        for name in ("image", "audio")
    )
    joined = [joined_features(*parts) for parts in zip(image, audio, strict=True)]
    for protocol, rows in (("knn-av", joined), ("knn-v", image), ("knn-a", audio)):
        assert found[protocol]["prediction"].tolist() == nearest(inputs, *rows), protocol
    assert len({tuple(frame["prediction"]) for frame in found.values()}) == 3


def test_one_specialist_sees_and_the_other_hears(inputs, tmp_path) -> None:
    found = run(tmp_path, inputs, "knn-av", image_model="a", audio_model="b")["knn-av"]
    joined = [
        joined_features(
            features(inputs, "image", "a", split), features(inputs, "audio", "b", split)
        )
        for split in ("train", "test")
    ]
    assert found["prediction"].tolist() == nearest(inputs, *joined)
    swapped = run(tmp_path, inputs, "knn-av", image_model="b", audio_model="a")["knn-av"]
    assert swapped["prediction"].tolist() != found["prediction"].tolist()


def test_two_specialists_of_one_file_are_one_model_in_scores_and_two_in_size(
    inputs, tmp_path
) -> None:
    one = run(tmp_path / "one", inputs, "knn-av", model="a")["knn-av"]
    two = run(tmp_path / "two", inputs, "knn-av", image_model="a", audio_model="a")["knn-av"]
    assert one.equals(two)
    sizes = [read_json(tmp_path / f"{name}/knn-av.json")["parameters"] for name in ("one", "two")]
    built = sum(p.numel() for p in initialise(0, **SETTINGS["encoder"]).parameters())
    assert sizes == [built, 2 * built]


@pytest.mark.parametrize(("modality", "protocol"), [("image", "knn-v"), ("audio", "knn-a")])
def test_a_specialist_has_the_score_of_its_modality_alone(
    modality, protocol, inputs, tmp_path
) -> None:
    both = run(tmp_path / "both", inputs, "transfer", protocol, model="a")
    alone = run(tmp_path, inputs, "transfer", protocol, model="a", modalities=[modality])
    assert alone[protocol].equals(both[protocol])
    assert not alone["transfer"].equals(both["transfer"])
    facts = [read_json(tmp_path / f"{name}.json") for name in ("transfer", protocol)]
    assert {fact["modality"] for fact in facts} == {modality}


def test_batch_norm_is_recalibrated_for_one_modality_at_a_time(inputs, tmp_path) -> None:
    own = {"model": "a", "recalibrate_batch_norm": True}
    both = run(tmp_path / "both", inputs, "knn-v", "knn-a", **own)
    as_it_came = run(tmp_path / "plain", inputs, "knn-v", "knn-a", model="a")
    for modality, protocol in (("image", "knn-v"), ("audio", "knn-a")):
        alone = run(tmp_path / modality, inputs, protocol, modalities=[modality], **own)
        assert both[protocol].equals(alone[protocol])
        assert not both[protocol].equals(as_it_came[protocol])


def test_an_image_specialist_needs_no_spectrogram_statistics(inputs, tmp_path) -> None:
    given = {key: value for key, value in inputs.items() if key != "normalisation"}
    with_it = run(tmp_path / "with", inputs, "knn-v", model="a", modalities=["image"])
    without = run(tmp_path, given, "knn-v", model="a", modalities=["image"])
    assert with_it["knn-v"].equals(without["knn-v"])


def test_transfer_is_the_probe_on_the_mean_features(inputs, tmp_path) -> None:
    found = run(tmp_path, inputs, "transfer", model="a")["transfer"]
    image, audio = (
        [features(inputs, name, "a", split) for split in ("train", "test")]
        for name in ("image", "audio")
    )
    bank = open_bank(Path(inputs["audio_bank"]).parent)
    layer = fit_probe(
        (image[0] + audio[0]) / 2,
        torch.from_numpy(bank.labels[bank.indices("train")]),
        num_classes=10,
        settings=typed(LinearProbe, SETTINGS["linear-probe"]),
        seed=0,
    )
    with torch.no_grad():
        logits = (layer(image[1]) + layer(audio[1])) / 2
    assert found["prediction"].tolist() == logits.argmax(dim=1).tolist()


def test_without_a_checkpoint_the_encoder_is_the_random_one_of_its_seed(inputs, tmp_path) -> None:
    encoder = initialise(3, **SETTINGS["encoder"])
    save_file(encoder.state_dict(), tmp_path / "initial.safetensors")
    given = inputs | {"initial": str(tmp_path / "initial.safetensors")}
    random = run(tmp_path / "random", given, "knn-av", seed=3)
    stored = run(tmp_path / "stored", given, "knn-av", seed=3, model="initial")
    assert random["knn-av"].equals(stored["knn-av"])
