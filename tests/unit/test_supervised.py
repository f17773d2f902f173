"""What probe and fine-tuning share: the step decay by hand, and batches that lose no sample."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fedssl.errors import UserError
from fedssl.evaluation.settings import Supervised
from fedssl.evaluation.supervised import learning_rate, linear_layer, shuffled_batches, train

SETTINGS = Supervised(
    epochs=60,
    lr=0.03,
    milestones=(0.6, 0.8),
    decay=0.1,
    batch_size=256,
    momentum=0.9,
    weight_decay=0.0,
)


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (60, [0.03] * 36 + [0.003] * 12 + [0.0003] * 12),
        (5, [0.03, 0.03, 0.03, 0.003, 0.0003]),
        (7, [0.03] * 4 + [0.003] + [0.0003] * 2),  # int(4.2) and int(5.6)
        (1, [0.0003]),  # both milestones are epoch 0
    ],
)
def test_the_rate_steps_down_at_60_and_80_percent_of_the_epochs(epochs, expected):
    settings = replace(SETTINGS, epochs=epochs)
    found = [learning_rate(settings, epoch=epoch) for epoch in range(epochs)]
    assert found == pytest.approx(expected)


def test_the_rate_is_torchs_multi_step_schedule():
    optimiser = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones=[36, 48], gamma=0.1)
    for epoch in range(60):
        assert learning_rate(SETTINGS, epoch=epoch) == pytest.approx(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()


@given(count=st.integers(1, 300), batch_size=st.integers(2, 40), seed=st.integers(0, 99))
def test_batches_hold_every_sample_once_and_never_a_single_one(count, batch_size, seed):
    rng = np.random.default_rng(seed)
    batches = list(shuffled_batches(count, batch_size=batch_size, rng=rng))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert min(len(batch) for batch in batches) >= min(2, count)
    assert len(batches[-1]) <= batch_size + 1


@pytest.mark.parametrize(
    ("count", "sizes"), [(300, [256, 44]), (256, [256]), (257, [257]), (513, [256, 257]), (1, [1])]
)
def test_batch_sizes_by_hand(count, sizes):
    batches = shuffled_batches(count, batch_size=256, rng=np.random.default_rng(0))
    assert [len(batch) for batch in batches] == sizes


def test_each_epoch_has_its_own_order():
    seen: list[list[int]] = []
    weight = nn.Linear(1, 1)

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        seen.append(batch.tolist())
        return weight.weight.sum()

    train(weight, loss_of, count=9, settings=SETTINGS, rng=np.random.default_rng(0))
    assert len(seen) == 60
    assert all(sorted(order) == list(range(9)) for order in seen)
    assert len({tuple(order) for order in seen}) > 50


def test_two_steps_by_hand():
    # Gradient 1: the velocity is 1, then 1 + m; a Nesterov step is lr (1 + m velocity).
    model = linear_layer(1, 1)
    settings = replace(SETTINGS, epochs=2, lr=0.1, milestones=())
    rng = np.random.default_rng(0)
    train(model, lambda _: model.weight.sum(), count=4, settings=settings, rng=rng)
    assert float(model.weight.detach()) == pytest.approx(-0.1 * (1 + 0.9 + 1 + 0.9 * 1.9))


def test_weight_decay_pulls_on_every_parameter():
    model = linear_layer(3, 2)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    settings = replace(SETTINGS, epochs=1, milestones=(), momentum=0.0, weight_decay=0.5)
    rng = np.random.default_rng(0)
    train(
        model, lambda _: 0.0 * model(torch.zeros(1, 3)).sum(), count=4, settings=settings, rng=rng
    )
    expected = 1 - 0.03 * 0.5
    torch.testing.assert_close(model.weight.detach(), torch.full((2, 3), expected))
    torch.testing.assert_close(model.bias.detach(), torch.full((2,), expected))


def test_a_new_layer_is_zero_and_takes_nothing_from_the_global_generator():
    before = torch.random.get_rng_state()
    layer = linear_layer(5, 3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not layer.weight.any() and not layer.bias.any()
    assert layer.weight.shape == (3, 5) and layer.weight.device.type == "cpu"


def test_divergence_is_named_and_not_scored():
    model = linear_layer(1, 1)
    settings = replace(SETTINGS, epochs=1)
    with pytest.raises(UserError, match=r"diverged at lr 0\.03"):
        train(
            model,
            lambda _: model.weight.sum() * float("inf"),
            count=4,
            settings=settings,
            rng=np.random.default_rng(0),
        )
