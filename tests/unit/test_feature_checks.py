"""Collapse and unseen classes: by hand, and against laws."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedssl.evaluation.feature_checks import COLLAPSED_RANK, effective_rank, feature_facts
from fedssl.evaluation.protocols import Features


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def features(queries: torch.Tensor, labels: list[int]) -> Features:
    return Features(
        memory=normal(3, queries.shape[1]),
        memory_labels=torch.tensor([0, 1, 1]),
        queries=queries,
        query_labels=torch.tensor(labels),
        num_classes=5,
    )


@pytest.mark.parametrize("dim", [1, 2, 5, 16])
def test_equal_spread_in_all_directions_has_full_rank(dim: int) -> None:
    corners = torch.cat([torch.eye(dim), -torch.eye(dim)])
    assert effective_rank(corners) == pytest.approx(dim)


def test_rank_by_hand() -> None:
    """Singular values 3 and 1: exp(-(3/4 ln 3/4 + 1/4 ln 1/4)) = 4 / 3^(3/4)."""
    rows = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert effective_rank(rows) == pytest.approx(4 / 3**0.75)


@given(st.integers(0, 99), st.floats(1e-3, 1e3), st.floats(-50, 50))
def test_scale_and_shift_do_not_matter(seed: int, scale: float, shift: float) -> None:
    rows = normal(20, 6, seed=seed).double()
    assert effective_rank(scale * rows + shift) == pytest.approx(effective_rank(rows), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e20])
def test_equal_features_have_rank_0(value: float) -> None:
    facts = feature_facts(features(torch.full((7, 4), value), [0] * 7))
    assert (facts["feature_rank"], facts["collapsed"]) == (0.0, True)
    assert facts["constant_features"] == 4


def test_rounding_does_not_hide_a_collapse() -> None:
    rows = 3.0 + 1e-7 * normal(50, 8)
    assert effective_rank(rows) == 0.0


def test_features_on_a_line_have_collapsed_and_random_ones_have_not() -> None:
    line = normal(50, 1) * normal(1, 8, seed=1) + normal(50, 8, seed=2) * 1e-3
    assert effective_rank(line) < COLLAPSED_RANK / 1.5
    assert feature_facts(features(line, [0] * 50))["collapsed"]
    assert not feature_facts(features(normal(50, 8), [0] * 50))["collapsed"]


def test_many_rows_are_sampled_evenly() -> None:
    """Sorted by class, the first rows alone would have the rank of one class."""
    rows = torch.cat([normal(4000, 1) * torch.eye(8)[place] for place in range(8)])
    assert effective_rank(rows) == pytest.approx(8, abs=0.1)


def test_classes_without_a_training_sample_are_counted() -> None:
    facts = feature_facts(features(normal(4, 8), [0, 1, 3, 4]))
    assert (facts["unseen_classes"], facts["constant_features"]) == (2, 0)
