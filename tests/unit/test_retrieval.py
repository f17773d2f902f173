"""Retrieval: R@k by hand, against brute force, and R@1 against kNN with one neighbour."""

import math
import operator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fedssl.errors import UserError
from fedssl.evaluation.knn import knn_predict
from fedssl.evaluation.retrieval import retrieval_hits

KS = (1, 5, 10, 20)


def draw(samples: int, *, seed: int, classes: int = 6, dim: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (samples,), generator=generator)
    return torch.randn(samples, dim, generator=generator), labels


def hits(queries: tuple[Tensor, Tensor], gallery: tuple[Tensor, Tensor], **changed) -> Tensor:
    given = {"ks": KS, "query_labels": queries[1], "gallery_labels": gallery[1]} | changed
    return retrieval_hits(queries[0], gallery[0], **given)


def cosine(a: list[float], b: list[float]) -> float:
    return sum(map(operator.mul, a, b)) / (math.hypot(*a) * math.hypot(*b))


def brute_force(queries: tuple[Tensor, Tensor], gallery: tuple[Tensor, Tensor]) -> list[list[bool]]:
    found = []
    for query, wanted in zip(*(part.tolist() for part in queries), strict=True):
        ranked = sorted(
            (-cosine(query, row), label)
            for row, label in zip(*(part.tolist() for part in gallery), strict=True)
        )
        found.append([wanted in [label for _, label in ranked[:k]] for k in KS])
    return found


def test_by_hand():
    # From (1, 0): cosines 1, 0.8, 0.6, 0, -1, whatever the lengths.
    gallery = torch.tensor([[0.0, 7.0], [3.0, 4.0], [-1.0, 0.0], [0.1, 0.0], [8.0, 6.0]])
    labels = torch.tensor([3, 2, 4, 0, 1])
    queries, wanted = torch.tensor([[2.0, 0.0]]).expand(6, 2), torch.arange(6)
    found = hits((queries, wanted), (gallery, labels), ks=(1, 2, 3, 4, 5, 99))
    assert found.dtype == torch.bool
    assert found.int().tolist() == [
        [1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0],  # the gallery has no such class, however many are retrieved
    ]


@pytest.mark.parametrize("seed", range(3))
def test_equals_brute_force(seed):
    queries, gallery = draw(240, seed=seed, classes=25), draw(80, seed=seed + 10, classes=25)
    expected = brute_force(queries, gallery)
    assert hits(queries, gallery).tolist() == expected
    rates = torch.tensor(expected).float().mean(dim=0)
    assert 0 < rates[0] < rates[1] < rates[2] < rates[3] < 1, "the comparison must be able to fail"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 40))
def test_hits_grow_with_k_and_scale_order_and_chunks_do_not_matter(seed, rows):
    queries, (bank, labels) = draw(30, seed=seed), draw(50, seed=seed + 1)
    expected = hits(queries, (bank, labels))
    assert (expected[:, 1:] >= expected[:, :-1]).all()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(50, generator=generator)
    scales = 2.0 ** torch.randint(-20, 20, (50, 1), generator=generator)
    scaled = (64 * queries[0], queries[1])
    changed = hits(scaled, ((scales * bank)[order], labels[order]), chunk_rows=rows)
    assert torch.equal(changed, expected)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_at_1_it_is_the_accuracy_of_one_nearest_neighbour_ties_included(data):
    # Axes as features: similarities are exactly 0 or 1, so neighbours tie all the time.
    axis, label = st.integers(0, 2), st.integers(0, 4)
    pairs = st.lists(st.tuples(axis, label), min_size=1, max_size=12)
    gallery, queries = (
        (torch.eye(3)[[place for place, _ in rows]], torch.tensor([name for _, name in rows]))
        for rows in (data.draw(pairs), data.draw(pairs))
    )
    nearest = knn_predict(
        queries[0], gallery[0], bank_labels=gallery[1], num_classes=5, k=1, temperature=0.1
    )
    assert torch.equal(hits(queries, gallery, ks=(1,))[:, 0], nearest == queries[1])


def test_at_1_it_is_the_accuracy_of_one_nearest_neighbour():
    queries, gallery = draw(200, seed=0), draw(300, seed=1)
    nearest = knn_predict(
        queries[0], gallery[0], bank_labels=gallery[1], num_classes=6, k=1, temperature=0.1
    )
    found = hits(queries, gallery)[:, 0]
    assert torch.equal(found, nearest == queries[1])
    assert 0 < found.float().mean() < 1


def test_a_collapsed_encoder_finds_the_lowest_class_first():
    ones, labels = torch.ones(30, 4), torch.arange(30) % 3
    found = hits((ones, labels), (ones, labels), ks=(1, 10, 11, 21))
    assert found.int().unique(dim=0).tolist() == [[0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]


def test_no_query_is_no_hit_and_inputs_stay_as_they_were():
    queries, gallery = draw(9, seed=0), draw(20, seed=1)
    copies = [part.clone() for part in (*queries, *gallery)]
    hits(queries, gallery)
    assert all(
        torch.equal(part, copy) for part, copy in zip((*queries, *gallery), copies, strict=True)
    )
    assert hits((queries[0][:0], queries[1][:0]), gallery).shape == (0, 4)


def test_what_cannot_be_retrieved_is_named():
    queries, gallery = draw(9, seed=0), draw(20, seed=1)
    for ks in ((), (1, 0)):
        with pytest.raises(UserError, match="numbers from 1"):
            hits(queries, gallery, ks=ks)
    with pytest.raises(UserError, match=r"\(8,\) for 9 queries"):
        hits(queries, gallery, query_labels=queries[1][1:])
    with pytest.raises(UserError, match=r"\(19,\) for 20 gallery rows"):
        hits(queries, gallery, gallery_labels=gallery[1][1:])
    with pytest.raises(UserError, match=r"\(9, 4\) and \(20, 5\)"):
        hits((queries[0][:, 1:], queries[1]), gallery)
    with pytest.raises(UserError, match="bank is empty"):
        hits(queries, (gallery[0][:0], gallery[1][:0]))
    gallery[0][3, 2] = torch.nan
    with pytest.raises(UserError, match="bank contain NaN or infinity"):
        hits(queries, gallery)
