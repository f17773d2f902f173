"""Fine-tuning and its views: what changes, what repeats, and that the model learns."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms.v2 import functional as tv

from fedssl.backbones.encoder import Encoder, initialise
from fedssl.data.banks.bank import open_bank
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from fedssl.evaluation import evaluate
from fedssl.evaluation.epoch_checkpoints import EpochCheckpoints
from fedssl.evaluation.fine_tune import fine_tune, predict
from fedssl.evaluation.settings import FineTune
from fedssl.randomness import stream
from fedssl.views import audio as audio_views
from fedssl.views.fine_tune import FineTuneViews, fine_tune_view
from fedssl.views.image import plain_view
from fedssl.views.settings import Audio, FineTuneAugmentation, Image, ViewSettings
from tests.unit import banks
from tests.unit.killed import killed

CPU = torch.device("cpu")
IMAGE = Image(32, mean=(0.5,) * 3, std=(0.25,) * 3)
AUDIO = Audio(
    sample_rate=16000,
    crop_seconds=0.25,
    n_fft=512,
    window=400,
    hop=160,
    mels=32,
    log_floor=1e-6,
    normalisation="dataset",
    size=32,
    statistics_clips=64,
)
VIEWS = ViewSettings(image=IMAGE, audio=AUDIO)
STATISTICS = {"mean": -6.0, "std": 3.0}
SETTINGS = FineTune(
    epochs=3,
    lr=0.03,
    milestones=(0.6, 0.8),
    decay=0.1,
    batch_size=8,
    momentum=0.9,
    weight_decay=1e-4,
    augmentation=FineTuneAugmentation(crop=0.875, flip_probability=0.5),
)
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200))


def lightly(images: torch.Tensor, image: Image, augmentation: FineTuneAugmentation) -> torch.Tensor:
    return fine_tune_view(images, stream(0, "l"), image=image, augmentation=augmentation)


def colours(folder: Path, *, count: int = 25) -> FineTuneViews:
    rng = np.random.default_rng(0)
    samples = []
    for i in range(count):
        noise = rng.integers(-40, 41, (16, 16, 3))
        pixels = (np.array(COLOURS[i % 3]) + noise).astype(np.uint8)
        split = "test" if i < 8 else "train"
        samples.append(Sample(f"{i}.png", "abc"[i % 3], split, pixels))
    banks.write(samples, folder)
    return FineTuneViews(open_bank(folder), VIEWS, statistics=None, device=CPU)


def tones(folder: Path) -> FineTuneViews:
    time = np.arange(8000) / 16000
    samples = [
        Sample(
            f"{i}.wav",
            "ab"[i % 2],
            "train" if i < 12 else "test",
            (9000 * np.sin(2 * np.pi * (300, 3000)[i % 2] * time + i)).astype(np.int16),
        )
        for i in range(16)
    ]
    banks.write(samples, folder)
    return FineTuneViews(open_bank(folder), VIEWS, statistics=STATISTICS, device=CPU)


def encoder() -> Encoder:
    return initialise(0, arch="resnet18", width=8, embedding_dim=16)


def tune(
    views: FineTuneViews,
    *,
    seed: int = 0,
    precision: str = "fp32",
    checkpoints: EpochCheckpoints | None = None,
    **changed: Any,
):
    return fine_tune(
        encoder(),
        [views],
        indices=[views.bank.indices("train")],
        settings=replace(SETTINGS, **changed),
        precision=precision,
        seed=seed,
        device=CPU,
        checkpoints=checkpoints,
    )


@pytest.mark.parametrize("make", [colours, tones])
def test_it_learns_what_a_frozen_random_encoder_was_not_trained_for(
    make: Callable[[Path], FineTuneViews], tmp_path: Path
) -> None:
    views = make(tmp_path)
    test = views.bank.indices("test")
    # One batch holds all samples, so that batch norm's running statistics settle.
    model = tune(views, epochs=60, lr=0.01, milestones=(), batch_size=99)
    labels = torch.from_numpy(views.bank.labels[test])
    assert torch.equal(predict(model, [views], [test], device=CPU), labels)
    with torch.no_grad():
        logits = model(views.plain(test))
    wrong = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
    assert (logits.gather(1, labels[:, None])[:, 0] - wrong).min() > 2, "nats, far above rounding"


@pytest.mark.parametrize("make", [colours, tones])
def test_it_is_the_textbook_loop(make: Callable[[Path], FineTuneViews], tmp_path: Path) -> None:
    views = make(tmp_path)
    train, own = views.bank.indices("train"), SETTINGS.augmentation
    labels = torch.from_numpy(views.bank.labels[train])
    order, draws = stream(0, "fine-tune batches"), stream(0, "fine-tune views")
    model = tune(views, epochs=0).train()
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=True
    )
    for epoch in range(3):  # the rate falls at int(1.8) and int(2.4)
        optimiser.param_groups[0]["lr"] = 0.03 * 0.1**epoch
        for batch in np.split(order.permutation(len(train)), [8]):  # 8 + 9 pictures, 8 + 4 clips
            logits = model(views.fine_tune(train[batch], draws, augmentation=own))
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimiser.step()
    found = tune(views).state_dict()
    assert all(torch.equal(found[n], tensor) for n, tensor in model.state_dict().items())


def test_backbone_and_batch_norm_move_and_the_encoder_stays_as_it_was(tmp_path: Path) -> None:
    views, given = colours(tmp_path), encoder()
    before = {name: tensor.clone() for name, tensor in given.state_dict().items()}
    model = fine_tune(
        given,
        [views],
        indices=[views.bank.indices("train")],
        settings=SETTINGS,
        precision="fp32",
        seed=0,
        device=CPU,
    )
    after = model.backbone.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in given.state_dict().items())
    assert all(not torch.equal(after[name], before[f"backbone.{name}"]) for name in after)
    steps = 3 * 2  # 17 samples in batches of 8, and the one left over: 8 + 9
    assert int(after["bn1.num_batches_tracked"]) == steps
    assert not model.training


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_is_a_function_of_its_seed(tmp_path: Path, precision: str) -> None:
    views = colours(tmp_path)
    before = torch.random.get_rng_state()
    first = tune(views, precision=precision, epochs=1).state_dict()
    again = tune(views, precision=precision, epochs=1).state_dict()
    other = tune(views, precision=precision, epochs=1, seed=1).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


def test_bf16_is_close_to_fp32_but_not_the_same(tmp_path: Path) -> None:
    views, one = colours(tmp_path), {"epochs": 1, "milestones": (), "batch_size": 99}
    start = tune(views, epochs=0).layer.weight.detach()
    full, low = (tune(views, precision=p, **one).layer.weight.detach() for p in ("fp32", "bf16"))
    assert low.dtype == torch.float32
    # The distance as a share of the step: 0.04 to 0.06 measured.
    assert 1e-3 < (low - full).norm() / (full - start).norm() < 0.25


def test_without_a_step_it_is_the_backbone_and_torchs_initial_layer(tmp_path: Path) -> None:
    model = tune(colours(tmp_path), epochs=0)
    given = encoder().backbone.state_dict()
    assert all(
        torch.equal(tensor, given[name]) for name, tensor in model.backbone.state_dict().items()
    )
    layer, bound = model.layer, 1 / 8  # 64 features
    assert isinstance(layer, nn.Linear) and layer.weight.shape == (3, 64)
    assert 0.95 * bound < float(layer.weight.abs().max().detach()) <= bound
    assert float(layer.bias.abs().max().detach()) <= bound


@pytest.mark.parametrize("make", [colours, tones])
def test_an_interrupted_training_ends_with_the_same_bits(
    make: Callable[[Path], FineTuneViews], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views, state = make(tmp_path / "bank"), tmp_path / "state"
    whole, save = tune(views, epochs=4).state_dict(), EpochCheckpoints.save

    def interrupted(own: EpochCheckpoints, epoch: int, *rest: Any) -> None:
        save(own, epoch, *rest)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochCheckpoints, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(views, epochs=4, checkpoints=EpochCheckpoints(state))
    monkeypatch.undo()
    resumed = EpochCheckpoints(state)
    found = tune(views, epochs=4, checkpoints=resumed).state_dict()
    assert resumed.done == 2 and resumed.seconds > 0
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())


def test_a_killed_job_continues_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    colours(tmp_path / "bank")
    view = asdict(VIEWS)
    settings = {
        **{name: view[name] for name in ("image", "audio")},
        "encoder": {"arch": "resnet18", "width": 8, "embedding_dim": 16},
        "fine-tune": asdict(SETTINGS),
        "portable": False,
        "precision": "fp32",
        "seed": 0,
        "split": "test",
        "threads": 1,
    }

    def arguments(name: str) -> dict[str, Any]:
        (tmp_path / name).mkdir(exist_ok=True)
        return {
            "identity": {"task": "toy", "seed": "0"},
            "inputs": {"bank": str(tmp_path / "bank/bank.json")},
            "metric": str(tmp_path / name / "fine-tune.json"),
            "state": str(tmp_path / name / "state"),
        }

    evaluate.fine_tune(settings, **arguments("whole"))
    killed(
        "fedssl.evaluation.evaluate:fine_tune",
        settings,
        arguments("killed"),
        after="fedssl.evaluation.epoch_checkpoints:EpochCheckpoints.save",
        count=2,
    )
    assert not (tmp_path / "killed/fine-tune.json").exists()
    assert evaluate.fine_tune(settings, **arguments("killed"))["resumed_after_epoch"] == 2
    for name in ("fine-tune.json", "fine-tune.parquet"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_divergence_is_named_and_not_scored(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="diverged at lr 1e"):
        tune(colours(tmp_path), lr=1e30)


def pictures(count: int, size: int) -> torch.Tensor:
    rng = stream(7, "test pictures")
    return torch.from_numpy(rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8))


def test_a_light_view_of_everything_is_the_evaluation_view() -> None:
    for channels in (1, 3):
        images = pictures(4, 20)[..., :channels]
        view = lightly(images, IMAGE, FineTuneAugmentation(1.0, 0.0))
        assert torch.equal(view, plain_view(images, image=IMAGE))


def test_a_certain_flip_mirrors() -> None:
    images = pictures(4, 20)
    view = lightly(images, IMAGE, FineTuneAugmentation(1.0, 1.0))
    torch.testing.assert_close(view, plain_view(images, image=IMAGE).flip(3), atol=1e-5, rtol=1e-5)


def test_each_sample_has_its_own_flip() -> None:
    images = pictures(1, 20).expand(64, -1, -1, -1)
    views = lightly(images, IMAGE, FineTuneAugmentation(1.0, 0.5))
    plain = plain_view(images[:1], image=IMAGE)[0]
    kept = sum(bool((view - plain).abs().max() < 1e-4) for view in views)
    mirrored = sum(bool((view - plain.flip(2)).abs().max() < 1e-4) for view in views)
    assert kept + mirrored == 64 and 16 < kept < 48


def test_a_light_view_is_one_of_torchvisions_crops_and_each_sample_has_its_own() -> None:
    image = replace(IMAGE, mean=(0.0,) * 3, std=(1.0,) * 3)
    images = pictures(1, 16).expand(40, -1, -1, -1)
    views = lightly(images, image, FineTuneAugmentation(0.875, 0.0))
    planes = images[:1].permute(0, 3, 1, 2).float() / 255
    crops = {
        (top, left): tv.resized_crop(planes, top, left, 14, 14, [32, 32], antialias=True)[0]
        for top in range(3)
        for left in range(3)
    }
    found = set()
    for view in views:
        nearest = min(crops, key=lambda place: float((crops[place] - view).abs().max()))
        torch.testing.assert_close(view, crops[nearest], atol=1e-4, rtol=0)
        found.add(nearest)
    assert found == set(crops), "40 draws reach all 9 places"


def test_a_light_view_of_a_clip_is_the_evaluation_view_of_a_random_crop(tmp_path: Path) -> None:
    views, one = tones(tmp_path), np.zeros(6, dtype=np.int64)
    light = views.fine_tune(one, stream(0, "l"), augmentation=SETTINGS.augmentation)
    assert light.shape == (6, 3, 32, 32)
    assert len({float(view.sum()) for view in light}) == 6
    waveforms, spans = views.bank.rows, np.array([[0, 8000]] * 6)
    frames = audio_views.crop(spans, length=4000, rng=stream(0, "l")).read(waveforms)
    expected = audio_views.plain_view(torch.from_numpy(frames), audio=AUDIO, statistics=STATISTICS)
    assert torch.equal(light, expected)
