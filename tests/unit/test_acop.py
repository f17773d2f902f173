"""ACOP: the positions of the clips, their order, the head, and the randomness."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fedssl import methods
from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from fedssl.methods.acop import ACOP
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views import audio as audio_views
from fedssl.views.bank_views import Views
from fedssl.views.clip_spans import clip_spans
from fedssl.views.settings import ViewSettings
from tests.unit.banks import images, write
from tests.unit.federations import SETTINGS

RATE = 16_000
STILL = {
    "frequency_crop": [1.0, 1.0],
    "time_crop": [1.0, 1.0],
    "frequency_mask": 0.0,
    "time_mask": 0.0,
    "noise": 0.0,
}
STATISTICS = {"mean": -3.0, "std": 2.0}
GEOMETRY = {"n_clips": 3, "clip": 2 * RATE, "gap": RATE}
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def augmented_by(audio: dict[str, object]) -> ViewSettings:
    augmentation = SETTINGS["augmentation"] | {"audio": audio}  # type: ignore[operator]
    return typed(ViewSettings, SETTINGS | {"augmentation": augmentation})


def acop(seed: int = 0, **changes: float) -> ACOP:
    encoder = initialise(seed, arch="resnet18", width=8)
    settings = {"n_clips": 3, "clip_seconds": 0.5, "gap_seconds": 0.25, "dropout": 0.5} | changes
    method = methods.build("acop", encoder, **settings)
    assert isinstance(method, ACOP)
    return method


def louder_and_louder(seconds: float) -> np.ndarray:
    """Noise that grows from a whisper to full scale."""
    samples = round(seconds * RATE)
    noise = stream(0, "noise").uniform(-1, 1, samples) * np.geomspace(10, 30000, samples)
    return noise.astype(np.int16)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Views:
    """Views of recordings of 3, 1.7 and 0.3 seconds, twenty each, without augmentation."""
    folder = tmp_path_factory.mktemp("recordings")
    samples = [
        Sample(f"{i}.wav", "ab"[i % 2], "train", louder_and_louder((3.0, 1.7, 0.3)[i % 3]))
        for i in range(60)
    ]
    write(samples, folder)
    settings = augmented_by(STILL)
    return Views(open_bank(folder), settings, statistics=STATISTICS, device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("seconds", "clip", "gap"),
    [
        (10.0, 32000, 16000),
        (8.0, 32000, 16000),
        (7.0, 32000, 8000),
        (6.0, 32000, 0),
        (3.0, 16000, 0),
        (0.15, 800, 0),
    ],
)
def test_length_and_gap_of_clips(seconds: float, clip: int, gap: int) -> None:
    start, length = 500, round(seconds * RATE)
    spans = np.tile([start, start + length], (200, 1))
    clips = clip_spans(spans, stream(0, "clips"), **GEOMETRY)
    assert clips.shape == (200, 3, 2)
    assert (clips[:, :, 1] - clips[:, :, 0] == clip).all()
    assert (clips[:, 1:, 0] - clips[:, :-1, 1] == gap).all()
    slack = length - (3 * clip + 2 * gap)
    first = clips[:, 0, 0] - start
    assert first.min() >= 0 and first.max() <= slack
    assert first.min() <= 0.05 * slack and first.max() >= 0.95 * slack, "starts are spread"


def test_clips_of_any_recording_lie_inside_it_in_order() -> None:
    lengths = np.concatenate([np.arange(40), stream(0, "lengths").integers(1, 200_000, 200)])
    stops = np.cumsum(lengths)
    spans = np.stack([stops - lengths, stops], axis=1)
    clips = clip_spans(spans, stream(1, "clips"), **GEOMETRY)
    assert (clips[:, 0, 0] >= spans[:, 0]).all() and (clips[:, -1, 1] <= spans[:, 1]).all()
    assert (np.diff(clips.reshape(len(clips), -1), axis=1) >= 0).all()
    extents, gaps = clips[:, :, 1] - clips[:, :, 0], clips[:, 1:, 0] - clips[:, :-1, 1]
    assert (extents == np.minimum(lengths // 3, 2 * RATE)[:, None]).all()
    assert (gaps == gaps[:, :1]).all()
    assert not gaps[lengths < 6 * RATE].any()


def test_a_label_is_the_rank_of_the_order_in_which_clips_are_shown(recordings: Views) -> None:
    """Label 3 is (1, 2, 0): the second clip comes first; here each clip is louder than the last."""
    method = acop()
    assert [tuple(order) for order in method.orders.tolist()] == ORDERS
    batch = method.views(recordings, np.arange(60), stream(0, "views"))
    assert batch.clips.shape == (60, 3, 3, 32, 32)
    loudness = batch.clips.mean(dim=(2, 3, 4))
    shown = loudness.argsort(dim=1).argsort(dim=1)
    assert [tuple(order) for order in shown.tolist()] == [ORDERS[i] for i in batch.labels]
    assert set(batch.labels.tolist()) == set(range(6))


def test_a_window_looks_the_same_whatever_windows_are_beside_it(recordings: Views) -> None:
    bank = recordings.bank
    assert bank.waveforms is not None
    windows = np.array([[0, 8000], [100, 1150], [48000, 56100], [5, 1403], [3, 3], [7, 8007]])
    together = recordings.augmented_windows(windows, stream(0, "windows"))
    for (start, stop), view in zip(windows, together, strict=True):
        alone = audio_views.plain_view(
            torch.from_numpy(bank.waveforms[None, start:stop].copy()),
            audio=typed(ViewSettings, SETTINGS).audio,
            statistics=STATISTICS,
        )
        torch.testing.assert_close(view, alone[0], rtol=1e-4, atol=1e-4)


def test_clips_get_the_cells_augmentation(recordings: Views) -> None:
    settings = augmented_by(STILL | {"frequency_mask": 0.9})
    masked = Views(recordings.bank, settings, statistics=STATISTICS, device=torch.device("cpu"))
    plain = acop().views(recordings, np.arange(6), stream(0, "views")).clips
    assert not (plain == 0).all(dim=4).any()
    assert (acop().views(masked, np.arange(6), stream(0, "views")).clips == 0).all(dim=4).any()


def test_the_head_has_the_published_number_of_parameters() -> None:
    method = methods.build(
        "acop",
        initialise(0, arch="resnet18"),
        n_clips=3,
        clip_seconds=2.0,
        gap_seconds=1.0,
        dropout=0.5,
    )
    assert sum(p.numel() for p in method.head.parameters()) == 534_022
    heads = {name for name in method.state_dict() if not name.startswith("backbone.")}
    assert heads == {"head.fc1.weight", "head.fc1.bias", "head.fc2.weight", "head.fc2.bias"}
    weights = method.head.fc2.weight.detach()
    assert weights.std() == pytest.approx(0.001, rel=0.05)
    assert weights.mean() == pytest.approx(0, abs=1e-4)
    assert not method.head.fc1.bias.any() and not method.head.fc2.bias.any()


def test_the_head_classifies_every_pair_of_clips() -> None:
    head = acop().head
    nn.init.normal_(head.fc1.bias, generator=torch.Generator().manual_seed(1))
    a, b, c = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(0)).unbind()
    pairs = [head.fc1(torch.cat(pair, dim=1)).clamp(min=0) for pair in ((a, b), (a, c), (b, c))]
    features = torch.stack([a, b, c], dim=1)
    torch.testing.assert_close(head(features), head.fc2(torch.cat(pairs, dim=1)))
    dropout = torch.zeros(5, 1536)
    dropout[:, 512:1024] = 2.0
    only = torch.cat([0 * pairs[0], 2 * pairs[1], 0 * pairs[2]], dim=1)
    torch.testing.assert_close(head(features, dropout), head.fc2(only))


def test_an_untrained_head_knows_nothing(recordings: Views) -> None:
    method = acop()
    batch = method.views(recordings, np.arange(12), stream(0, "views"))
    loss = method.training_step(batch)
    assert float(loss.detach()) == pytest.approx(math.log(6), abs=0.05)
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in method.parameters())
    nothing = batch._replace(dropout=torch.zeros_like(batch.dropout))
    assert float(method.training_step(nothing).detach()) == pytest.approx(math.log(6), abs=1e-6)
    assert float(loss.detach()) != pytest.approx(math.log(6), abs=1e-6)


def test_each_clip_is_seen_by_the_shared_backbone(recordings: Views) -> None:
    method = acop().eval()
    clips = method.views(recordings, np.arange(4), stream(0, "views")).clips
    features = torch.stack([method.backbone(clips[:, i]) for i in range(3)], dim=1)
    torch.testing.assert_close(method(clips), method.head(features))


def test_a_step_is_a_function_of_its_stream(recordings: Views) -> None:
    """Views, order and dropout repeat with the stream; no global generator is read."""
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1]
    method, again = acop(), acop()
    batches = [method.views(recordings, np.arange(12), stream(s, "views")) for s in (0, 0, 1)]
    losses = [float(method.training_step(batch).detach()) for batch in batches]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)
    assert losses[0] == losses[1] != losses[2]
    for first, second, other in zip(*batches, strict=True):
        assert torch.equal(first, second) and not torch.equal(first, other)
    state = method.head.state_dict()
    assert all(torch.equal(state[name], value) for name, value in again.head.state_dict().items())
    assert not torch.equal(state["fc1.weight"], acop(1).head.state_dict()["fc1.weight"])


@pytest.mark.parametrize("rate", [0.0, 0.5, 0.2])
def test_dropout_keeps_the_mean(recordings: Views, rate: float) -> None:
    batch = acop(dropout=rate).views(recordings, np.arange(60), stream(0, "views"))
    assert batch.dropout.shape == (60, 1536)
    assert float((batch.dropout == 0).float().mean()) == pytest.approx(rate, abs=0.01)
    assert batch.dropout.max() == pytest.approx(1 / (1 - rate))
    assert len(torch.unique(batch.dropout, dim=0)) == (60 if rate else 1)


def test_images_have_no_order(tmp_path: Path) -> None:
    write(images(), tmp_path)
    views = Views(
        open_bank(tmp_path),
        typed(ViewSettings, SETTINGS),
        statistics=None,
        device=torch.device("cpu"),
    )
    with pytest.raises(UserError, match=r"toy holds images; give acop a split with audio only"):
        acop().views(views, np.arange(2), stream(0, "views"))
