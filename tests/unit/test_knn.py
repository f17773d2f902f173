import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightly.utils.benchmarking import knn_predict as lightly_predict
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn.functional import normalize
from torch.overrides import TorchFunctionMode

from fedssl.errors import UserError
from fedssl.evaluation.knn import knn_predict

CLASSES, K, TEMPERATURE = 7, 20, 0.1


def features(samples: int, *, seed: int, dim: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (samples,), generator=generator)
    centres = torch.randn(CLASSES, dim, generator=torch.Generator().manual_seed(0))
    return centres[labels] + 3 * torch.randn(samples, dim, generator=generator), labels


def predict(queries: Tensor, bank: Tensor, labels: Tensor, **changed: int | float) -> Tensor:
    given = {"num_classes": CLASSES, "k": K, "temperature": TEMPERATURE} | changed
    return knn_predict(queries, bank, bank_labels=labels, **given)


@pytest.fixture
def sample() -> tuple[Tensor, Tensor, Tensor]:
    queries, _ = features(150, seed=1)
    return queries, *features(400, seed=2)


@pytest.mark.parametrize(("temperature", "expected"), [(0.1, 0), (1.0, 1)])
def test_temperature_decides_between_one_near_and_two_far_neighbours(temperature, expected):
    bank = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]])
    labels, query = torch.tensor([0, 1, 1]), torch.tensor([[1.0, 0.0]])
    found = predict(query, bank, labels, num_classes=2, k=3, temperature=temperature)
    assert found.tolist() == [expected]


@pytest.mark.parametrize("k", [1, 3, 20, 200])
@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_equals_lightly(sample, k, temperature):
    queries, bank, labels = sample
    unit, keys = normalize(queries, dim=1), normalize(bank, dim=1).T
    expected = lightly_predict(unit, keys, labels, CLASSES, k, temperature)[:, 0]
    found = predict(queries, bank, labels, k=k, temperature=temperature)
    assert torch.equal(found, expected)


def exponential(distances: np.ndarray) -> np.ndarray:
    return np.exp((1 - distances) / TEMPERATURE)


@pytest.mark.parametrize("k", [1, 20, 200])
def test_equals_sklearn(sample, k):
    queries, bank, labels = sample
    model = KNeighborsClassifier(k, weights=exponential, algorithm="brute", metric="cosine")
    expected = model.fit(bank.numpy(), labels.numpy()).predict(queries.numpy())
    assert predict(queries, bank, labels, k=k).tolist() == expected.tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), k=st.integers(1, 60), rows=st.integers(1, 40))
def test_scale_order_and_chunks_do_not_matter(seed, k, rows):
    (queries, _), (bank, labels) = (
        features(30, seed=seed, dim=4),
        features(50, seed=seed + 1, dim=4),
    )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(bank), generator=generator)
    # Powers of two scale without rounding, so nothing may change at all.
    scales = 2.0 ** torch.randint(-20, 20, (len(bank), 1), generator=generator)
    expected = predict(queries, bank, labels, k=k)
    changed = predict(64 * queries, (scales * bank)[order], labels[order], k=k, chunk_rows=rows)
    assert torch.equal(changed, expected)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_ties_are_exact(data):
    # Axes as features: similarities are exactly 0 or 1, so neighbours and scores tie all the time.
    axis = st.integers(0, 2)
    rows = data.draw(
        st.lists(st.tuples(axis, st.integers(0, CLASSES - 1)), min_size=1, max_size=12)
    )
    query, k = data.draw(axis), data.draw(st.integers(1, 14))
    bank = torch.eye(3)[[place for place, _ in rows]]
    labels = torch.tensor([label for _, label in rows])
    nearest = sorted((place != query, label) for place, label in rows)[:k]
    scores = [sum(math.exp(10 * (not far)) for far, x in nearest if x == c) for c in range(CLASSES)]
    assert predict(torch.eye(3)[[query]], bank, labels, k=k).item() == scores.index(max(scores))


@pytest.mark.parametrize("seed", range(20))
def test_equal_scores_tie_whatever_the_summing_order(seed):
    # Both classes hold the same similarities in opposite orders, so float sums would differ.
    # Two equal rows at the far end make k cut between them.
    x = np.random.default_rng(seed).uniform(0.5, 0.9, 25)
    column = np.concatenate([x, x[::-1], [-0.5, -0.5]])
    bank = torch.tensor(np.stack([column, np.sqrt(1 - column**2)], axis=1), dtype=torch.float32)
    labels = torch.tensor([3] * 25 + [5] * 25 + [6, 6])
    for order in (torch.arange(52), torch.arange(52).flip(0)):
        found = predict(torch.tensor([[1.0, 0.0]]), bank[order], labels[order], k=51)
        assert found.tolist() == [3]


@pytest.mark.parametrize("dim", [16, 513])
@pytest.mark.parametrize("size", [7, 33, 1001])
def test_equal_rows_are_equally_near_wherever_they_stand(dim, size):
    # A matrix product rounds its last rows and columns differently from the rest.
    row, labels = features(1, seed=size, dim=dim)[0], torch.arange(size).flip(0)
    for queries in (1, 3, 17):
        every = {"num_classes": size, "k": 5, "temperature": 0.1}
        rows = row.expand(queries, dim)
        found = knn_predict(rows, row.expand(size, dim), bank_labels=labels, **every)
        assert set(found.tolist()) == {0}


def test_a_collapsed_encoder_predicts_one_class(sample):
    queries, bank, labels = sample
    found = predict(torch.ones_like(queries), torch.ones_like(bank), labels, k=9)
    assert set(found.tolist()) == {0}


def test_zero_features_are_equally_far_from_everything(sample):
    _, bank, labels = sample
    assert predict(torch.zeros(2, bank.shape[1]), bank, labels).tolist() == [0, 0]


def test_k_is_capped_at_the_bank(sample):
    queries, bank, labels = sample
    whole = predict(queries, bank, labels, k=len(bank))
    assert torch.equal(predict(queries, bank, labels, k=10**9), whole)


def test_a_small_temperature_does_not_overflow(sample):
    queries, bank, labels = sample
    nearest = (normalize(queries, dim=1) @ normalize(bank, dim=1).T).argmax(dim=1)
    found = predict(queries, bank, labels, temperature=1e-4)
    assert (found == labels[nearest]).float().mean() > 0.98
    assert torch.equal(predict(queries, bank, labels, temperature=1e-9), labels[nearest])


class MatmulPrecision(TorchFunctionMode):
    """Notes the matmul precision at every call inside."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, str] = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen[func.__name__] = torch.get_float32_matmul_precision()
        return func(*args, **(kwargs or {}))


def test_training_precision_does_not_reach_it(sample):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with MatmulPrecision() as recorder:
            predict(*sample)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert recorder.seen["matmul"] == "highest"


def test_autocast_does_not_reach_it():
    # In bfloat16 the two similarities are equal, and the lowest class would win.
    bank = torch.tensor([[0.9985, (1 - 0.9985**2) ** 0.5], [0.999, (1 - 0.999**2) ** 0.5]])
    query, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert predict(query, bank, labels, k=1).tolist() == [1]


def test_inputs_stay_as_they_were_and_no_query_is_no_prediction(sample):
    queries, bank, labels = sample
    copies = [x.clone() for x in sample]
    found = predict(queries, bank, labels)
    assert all(torch.equal(x, copy) for x, copy in zip(sample, copies, strict=True))
    assert (found.shape, found.dtype) == ((150,), torch.int64)
    assert predict(queries[:0], bank, labels).shape == (0,)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"k": 0}, "k is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"num_classes": 3}, "Labels run from 0 to 6; they must be between 0 and 2"),
    ],
)
def test_settings_out_of_range_are_named(sample, changed, said):
    with pytest.raises(UserError, match=said):
        predict(*sample, **changed)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("place", "name"), [(0, "queries"), (1, "bank")])
def test_features_that_are_not_finite_are_refused(sample, place, name, value):
    sample[place][3, 5] = value
    with pytest.raises(UserError, match=f"{name} contain NaN or infinity"):
        predict(*sample)


def test_shapes_that_do_not_fit_are_named(sample):
    queries, bank, labels = sample
    with pytest.raises(UserError, match=r"\(150, 15\) and \(400, 16\)"):
        predict(queries[:, 1:], bank, labels)
    with pytest.raises(UserError, match="one label per sample"):
        predict(queries, bank, labels[1:])
    with pytest.raises(UserError, match="one label per sample"):
        predict(queries, bank[:0], labels[:0])
