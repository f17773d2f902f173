"""Batches that a thread draws ahead: the same bits, bounded memory, and no thread left behind."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl import methods
from fedssl.ahead import ahead, steps_ahead
from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.evaluation import features, fine_tune
from fedssl.federation import client, epoch
from fedssl.files import sha256
from fedssl.methods.simclr import SimCLR
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views import bank_views
from fedssl.views.bank_views import Views
from fedssl.views.settings import ViewSettings
from tests.unit import banks
from tests.unit.federations import SETTINGS, lay_out, run
from tests.unit.test_centralised import run as centralise
from tests.unit.test_features import pictures, resnet
from tests.unit.test_fine_tune import colours, tune

CPU = torch.device("cpu")
ENGINES = (client, epoch, features, fine_tune, bank_views)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("made-up"))


@pytest.fixture
def in_a_thread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Draw ahead on a CPU too; return the names of the threads that drew."""
    names: list[str] = []
    drawn = Views.draw

    def draw(views: Views, indices: np.ndarray, rng: np.random.Generator) -> object:
        names.append(threading.current_thread().name)
        return drawn(views, indices, rng)

    monkeypatch.setattr(Views, "draw", draw)
    for engine in ENGINES:
        monkeypatch.setattr(engine, "steps_ahead", lambda _device: 3)
    return names


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("depth", [0, 1, 3, 100])
def test_items_come_in_their_order(depth: int) -> None:
    with ahead(range(20), depth=depth) as items:
        assert list(items) == list(range(20))
    assert not threads()


@pytest.mark.parametrize("depth", [0, 2])
def test_no_more_items_are_computed_than_asked_for(depth: int) -> None:
    computed: list[int] = []

    def count() -> Iterator[int]:
        for item in range(100):
            computed.append(item)
            yield item

    with ahead(count(), depth=depth) as items:
        for expected in range(10):
            assert next(items) == expected
            assert len(computed) <= expected + 1 + depth
    assert len(computed) <= 10 + depth
    assert not threads()


@pytest.mark.parametrize("depth", [0, 3])
def test_an_error_is_raised_where_its_item_is_due(depth: int) -> None:
    def fail() -> Iterator[int]:
        yield from range(2)
        raise ValueError("the third")

    with pytest.raises(ValueError, match="the third"), ahead(fail(), depth=depth) as items:
        assert [next(items), next(items)] == [0, 1]
        next(items)
    assert not threads()


def test_an_error_of_the_user_ends_the_thread() -> None:
    with pytest.raises(ValueError, match="mine"), ahead(iter(int, 1), depth=3) as items:
        next(items)
        raise ValueError("mine")
    assert not threads()


def test_a_cpu_draws_when_a_batch_is_due_and_a_gpu_ahead() -> None:
    assert steps_ahead(CPU) == 0
    assert 1 <= steps_ahead(torch.device("cuda")) <= 8


def test_a_federation_ends_with_the_same_bits(
    inputs: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    short = {"federation": SETTINGS["federation"] | {"rounds": 2, "kept_rounds": [0]}}  # type: ignore[operator]
    expected = sha256(run(inputs, tmp_path / "due", **short))
    names = request.getfixturevalue("in_a_thread")
    assert sha256(run(inputs, tmp_path / "ahead", **short)) == expected
    assert names and all(name.startswith("ahead") for name in names)
    assert not threads()


def test_centralised_training_ends_with_the_same_bits(
    inputs: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected = sha256(centralise(inputs, tmp_path / "due"))
    names = request.getfixturevalue("in_a_thread")
    assert sha256(centralise(inputs, tmp_path / "ahead")) == expected
    assert names and all(name.startswith("ahead") for name in names)
    assert not threads()


def test_fine_tuning_and_features_have_the_same_bits(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    views, images = colours(tmp_path / "colours"), pictures(tmp_path / "pictures", count=300)
    every = np.arange(300)
    tuned = tune(views, epochs=2).state_dict()
    extracted = features.extract_features(resnet(), images, every, device=CPU)
    request.getfixturevalue("in_a_thread")
    again = tune(views, epochs=2).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in tuned.items())
    assert torch.equal(extracted, features.extract_features(resnet(), images, every, device=CPU))
    assert not threads()


class Whole(SimCLR):
    """A method that makes its views in one piece."""

    def views(self, source: Views, indices: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        return torch.stack([source.augmented(indices, rng) + rng.random() for _ in range(2)])


@pytest.mark.parametrize("name", ["simclr", "moco", "acop", "whole"])
def test_drawn_views_are_the_views(name: str, tmp_path: Path) -> None:
    banks.write(banks.clips([9000, 30000, 4000] * 4), tmp_path)
    bank = open_bank(tmp_path)
    source = Views(
        bank, typed(ViewSettings, SETTINGS), statistics={"mean": 0.0, "std": 1.0}, device=CPU
    )
    encoder = initialise(0, arch="resnet18", width=8, embedding_dim=16)
    method = Whole(encoder, SimCLR.Settings()) if name == "whole" else methods.build(name, encoder)
    expected = method.views(source, np.arange(9), stream(0, "views"))
    found = method.drawn_views(source, np.arange(9), stream(0, "views"))()
    pairs = (
        [(expected, found)]
        if isinstance(expected, torch.Tensor)
        else zip(expected, found, strict=True)
    )
    for old, new in pairs:
        assert torch.equal(old, new) if isinstance(old, torch.Tensor) else old == new
