"""Barlow Twins: values worked by hand, lightly's loss, and its relation to the authors' code."""

import numpy as np
import pytest
import torch
from lightly.loss import BarlowTwinsLoss

from fedssl import methods
from fedssl.backbones.encoder import initialise
from fedssl.methods.barlow_twins import Std, barlow_twins_loss

COLUMNS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


def embeddings(count: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two correlated views in float64, with columns of unlike means and scales."""
    generator = torch.Generator().manual_seed(0)
    shared, first, second = torch.randn(
        3, count, dim, dtype=torch.float64, generator=generator
    ).unbind()
    scale = torch.linspace(0.5, 4.0, dim, dtype=torch.float64)
    return scale * (shared + 0.4 * first) + 3.0, scale * (shared + 0.4 * second) - 1.0


@pytest.mark.parametrize(
    ("second", "std", "weight", "loss"),
    [
        (COLUMNS, "biased", 0.0051, 0.0),
        (COLUMNS, "unbiased", 0.005, 0.125),
        (COLUMNS.flip(1), "biased", 0.0051, 2.0102),
        (COLUMNS.flip(1), "unbiased", 0.005, 2.005625),
        (-COLUMNS, "biased", 0.0051, 8.0),
    ],
)
def test_by_hand(second: torch.Tensor, std: Std, weight: float, loss: float) -> None:
    value = barlow_twins_loss(COLUMNS, second, weight, std=std)
    assert value.shape == () and float(value) == pytest.approx(loss, abs=1e-4)


def test_the_std_is_biased_unless_told_otherwise() -> None:
    first, second = embeddings(8, 4)
    unsaid = barlow_twins_loss(first, second, 0.005)
    assert unsaid == barlow_twins_loss(first, second, 0.005, std="biased")
    assert unsaid != barlow_twins_loss(first, second, 0.005, std="unbiased")


@pytest.mark.parametrize(("count", "dim"), [(16, 8), (64, 128)])
def test_is_lightlys(count: int, dim: int) -> None:
    first, second = (view.float() for view in embeddings(count, dim))
    theirs = BarlowTwinsLoss(lambda_param=0.005)(first, second)
    torch.testing.assert_close(barlow_twins_loss(first, second, 0.005), theirs, rtol=2e-4, atol=0)


@pytest.mark.parametrize("count", [4, 17, 256])
def test_the_authors_loss_is_the_standard_one_with_a_smaller_correlation(count: int) -> None:
    """Exactly C (N - 1) / N, in float64; the same as their formula up to eps."""
    first, second = (view.numpy() for view in embeddings(count, 6))
    shrink = (count - 1) / count
    ours = float(barlow_twins_loss(*map(torch.from_numpy, (first, second)), 0.005, std="unbiased"))
    scaled = [
        (view - view.mean(axis=0)) / np.sqrt(view.var(axis=0) + 1e-5) for view in (first, second)
    ]
    assert ours == pytest.approx(of(shrink * scaled[0].T @ scaled[1] / count), rel=1e-13)
    authors = [(view - view.mean(axis=0)) / view.std(axis=0, ddof=1) for view in (first, second)]
    assert ours == pytest.approx(of(authors[0].T @ authors[1] / count), rel=2e-4)


def of(correlation: np.ndarray) -> float:
    diagonal = np.diag(correlation)
    off_diagonal = np.square(correlation).sum() - np.square(diagonal).sum()
    return float(np.square(1 - diagonal).sum() + 0.005 * off_diagonal)


def test_ignores_order_scale_and_shift_and_is_symmetric() -> None:
    first, second = embeddings(32, 5)
    loss = barlow_twins_loss(first, second, 0.005)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(barlow_twins_loss(first[order], second[order], 0.005), loss)
    torch.testing.assert_close(barlow_twins_loss(second, first, 0.005), loss)
    moved = barlow_twins_loss(7 * first - 2, second, 0.005)
    torch.testing.assert_close(moved, loss, rtol=1e-4, atol=0)
    assert (barlow_twins_loss(first[order], second, 0.005) - loss).abs() > 0.1


@pytest.mark.parametrize("std", ["biased", "unbiased"])
def test_a_constant_column_costs_one_and_has_a_gradient(std: Std) -> None:
    first, second = (view.float() for view in embeddings(32, 5))
    rest = barlow_twins_loss(first[:, 1:], second[:, 1:], 0.005, std=std)
    first[:, 0] = second[:, 0] = 2.0
    first.requires_grad_()
    loss = barlow_twins_loss(first, second, 0.005, std=std)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(rest) + 1.0, abs=1e-4)
    assert first.grad is not None and first.grad.isfinite().all() and first.grad.any()


def test_the_method_passes_its_settings_on() -> None:
    first, second = (view.float() for view in embeddings(8, 4))
    for weight, std in ((0.005, "biased"), (0.5, "biased"), (0.005, "unbiased")):
        encoder = initialise(0, arch="resnet18", width=8)
        method = methods.build("barlow-twins", encoder, off_diagonal_weight=weight, std=std)
        expected = barlow_twins_loss(first, second, weight, std=std)  # type: ignore[arg-type]
        assert method.objective(first, second) == expected
        assert all(name.startswith(("backbone.", "head.")) for name in method.state_dict())
