"""Export an encoder, load it, and embed files: the features are those of the evaluation."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save
from typer.testing import CliRunner

import fedssl as package
from fedssl.backbones.encoder import initialise
from fedssl.command.main import app
from fedssl.command.project import open_project
from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.media import jpeg, picture, sound, wav
from fedssl.errors import UserError
from fedssl.evaluation.features import task_features
from fedssl.evaluation.job_files import read_encoder
from fedssl.evaluation.settings import JobSettings
from fedssl.federation.checkpoint import save_state
from fedssl.files import read_json, sha256, write_json
from fedssl.grid.cell import Cell
from fedssl.methods import build
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from tests.unit.commands import ROOT, data, fedssl
from tests.unit.results import CELL, MODEL, sign

STATISTICS = {"mean": -4.0, "std": 2.0, "clips": 9}
ENCODER = "encoder.safetensors"


@pytest.fixture
def results(folder: Path) -> Path:
    """The finished results, in which one model and its statistics are real."""
    root, grid = (
        folder / "results/demo",
        open_project([ROOT / "config/demo.yaml", "grid.yaml"]).grid,
    )
    settings = grid.settings(Cell.parse(CELL))
    encoder = initialise(7, **settings["encoder"])
    with torch.no_grad():
        for tensor in encoder.state_dict().values():
            if tensor.dtype == torch.float32:
                tensor += 0.01  # running statistics too
    further = {"predictor.weight": torch.ones(2)}
    save_state({**encoder.state_dict(), **further}, root / MODEL)
    record = root / f"pretrain/{CELL}/provenance.json"
    (named,) = [n for n in read_json(record)["inputs"] if "/normalisation/" in n]
    write_json(folder / named, STATISTICS)
    hashes = {f"results/demo/{MODEL}": sha256(root / MODEL), named: sha256(folder / named)}

    def updated(content):
        for side in ("inputs", "outputs"):
            content[side] |= {name: h for name, h in hashes.items() if name in content[side]}

    sign(record, updated)
    return root


def write_files(folder: Path, modality: str) -> None:
    rng = np.random.default_rng(0)
    for split, label, n in itertools.product(("train", "test"), range(2), range(4)):
        place = folder / split / str(label)
        place.mkdir(parents=True, exist_ok=True)
        if modality == "image":
            (place / f"{n}.jpg").write_bytes(jpeg(picture(rng, label, size=48 + n)))
        else:
            clip = sound(rng, label, seconds=0.3 + n / 5, rate=22_050)
            (place / f"{n}.wav").write_bytes(wav(clip, rate=22_050))


def workflow_features(results: Path, folder: Path, modality: str) -> np.ndarray:
    """The features that `evaluate` computes of the test split of an own dataset."""
    own = {"kind": "folder", "modality": modality, "size": 128, "test_share": 0.2}
    entry = {"classes": None, "splits": {"train": None, "test": None}, "max_bad_share": 0.0}
    build_bank("files", {"folder": folder}, folder.parent / "bank", entry=entry | {"own": own})
    grid = open_project([ROOT / "config/demo.yaml", "grid.yaml"]).grid
    settings = typed(JobSettings, grid.settings(Cell.parse(CELL)))
    cpu = torch.device("cpu")
    bank = open_bank(folder.parent / "bank", device=cpu)
    views = Views(bank, settings, statistics=STATISTICS, device=cpu)
    backbone = read_encoder(settings, str(results / MODEL)).backbone
    found = task_features(backbone, views, "test", recalibrate=False, device=cpu)
    return found.queries.numpy()


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_embedded_files_have_the_features_of_the_workflow(results, folder, modality):
    write_files(folder / "own/files", modality)
    (folder / "own/files/test/notes.txt").write_text("passed over")
    data("export", CELL, "-o", ENCODER)
    expected = workflow_features(results, folder / "own/files", modality)
    suffix = "jpg" if modality == "image" else "wav"
    (folder / f"own/files/test/1/bad.{suffix}").write_bytes(b"no file")
    for output in ("features.parquet", "features.npz"):
        said = embed_json("own/files/test", "-o", output)
        assert (said["files"], said["passed_over"]) == (8, 1)
        assert [name.split(".")[0] for name in said["unreadable"]] == ["1/bad"]
    frame = pd.read_parquet("features.parquet")
    with np.load("features.npz") as file:
        arrays = dict(file)
    assert frame["file"].tolist() == arrays["files"].tolist() == sorted(frame["file"])
    assert np.array_equal(frame.drop(columns="file").to_numpy(), expected)
    assert np.array_equal(arrays["features"], expected)
    assert frame.attrs["cell"] == CELL and frame.attrs["sha256"] == sha256(ENCODER)


def embed_json(*arguments: str):
    ran = CliRunner().invoke(app, ["embed", ENCODER, *arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_a_loaded_encoder_preprocesses_as_the_views_do(results, folder):
    data("export", CELL, "-o", ENCODER)
    encoder, preprocess = package.load_encoder(ENCODER)
    assert not encoder.training
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2, 40, 40, 3)).astype(np.uint8)
    sounds = [rng.integers(-999, 999, n).astype(np.int16) for n in (4_000, 20_000)]
    for inputs in (preprocess.images(images), preprocess.sounds(sounds)):
        assert inputs.shape == (2, 3, 32, 32)
        assert encoder.backbone(inputs).shape == (2, encoder.num_features)
    # The centre of the long sound is what counts.
    middle = [sounds[0], sounds[1][6_000:14_000]]
    assert torch.equal(preprocess.sounds(sounds), preprocess.sounds(middle))
    assert preprocess.settings.provenance["model_sha256"] == sha256(results / MODEL)


def test_the_card_says_what_the_encoder_is_and_how_it_is_loaded(results, folder, monkeypatch):
    said = data("export", CELL, "-o", ENCODER)
    card = Path(said["card"]).read_text()
    for text in (CELL, "Synthetic TINET", "Not comparable with the papers", "| fsdd | knn |"):
        assert text in card
    (code,) = card.split("```python\n")[1:]
    space = {"images": np.zeros((2, 32, 32, 3), np.uint8)}
    exec(code.split("```")[0], space)
    assert len(space["features"]) == 2


def test_equal_encoders_have_equal_bytes_and_one_file_each(results, folder):
    data("export", CELL, "-o", "a/first.safetensors")
    data("export", f"results/demo/pretrain/{CELL}", "-o", "a/second.safetensors")
    assert sha256("a/first.safetensors") == sha256("a/second.safetensors")
    assert sorted(p.name for p in Path("a").iterdir()) == [
        f"{name}.{suffix}" for name in ("first", "second") for suffix in ("md", "safetensors")
    ]


def test_a_changed_model_is_not_exported(results, folder):
    (results / MODEL).write_bytes((results / MODEL).read_bytes()[:-1] + b"!")
    ran = fedssl("export", CELL)
    assert ran.exit_code == 2 and "differs from the file that its job recorded" in ran.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere", "does not exist"),
        ("text", "no safetensors file"),
        ("plain", "does not say how"),
        ("torn", "is damaged"),
        ("list", "is damaged"),
    ],
)
def test_a_file_that_export_did_not_write_is_refused(folder, name, says):
    Path("text").write_text("no encoder")
    save_state({"a": torch.ones(1)}, "plain")
    for torn, facts in (("torn", '{"format": '), ("list", "[1]")):
        Path(torn).write_bytes(save({"a": torch.ones(1)}, metadata={"fedssl": facts}))
    with pytest.raises(UserError, match=says):
        package.load_encoder(name)


@pytest.mark.parametrize("what", ["tensor", "preprocessing", "provenance"])
def test_a_file_that_was_changed_after_its_export_is_refused(results, what):
    data("export", CELL, "-o", ENCODER)
    content = Path(ENCODER).read_bytes()
    changed = {
        "tensor": content[:-1] + bytes([content[-1] ^ 1]),
        "preprocessing": content.replace(b'\\"mean\\": -4.0', b'\\"mean\\": -4.1'),
        "provenance": content.replace(b"fssuavl/simclr", b"fssuavl/simclx"),
    }[what]
    assert changed != content and len(changed) == len(content)
    Path(ENCODER).write_bytes(changed)
    with pytest.raises(UserError, match="changed after it was exported; export the cell again"):
        package.load_encoder(ENCODER)


def test_importing_the_package_does_not_import_torch():
    script = "import sys, fedssl; print('torch' in sys.modules, callable(fedssl.load_encoder))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stdout == "False True\n", ran.stderr


RIVALS = {"orchestra": {}, "byol": {"projection": "mlp"}, "simclr": {}}


@pytest.mark.parametrize("name", RIVALS)
def test_a_projection_of_a_method_is_exported_with_its_encoder(results, name):
    record = results / f"pretrain/{CELL}/provenance.json"
    encoder = read_json(record)["settings"]["encoder"]
    method = build(name, initialise(0, **encoder), **RIVALS[name]).eval()
    save_state(method.global_state(), results / MODEL)

    def updated(content):
        content["settings"]["method"] = {"name": name, **RIVALS[name]}
        content["outputs"][f"results/demo/{MODEL}"] = sha256(results / MODEL)

    sign(record, updated)
    data("export", CELL, "-o", ENCODER)
    inputs = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    loaded = package.load_encoder(ENCODER).module
    with torch.no_grad():
        assert torch.equal(loaded(inputs), method.head(method.backbone(inputs)))
