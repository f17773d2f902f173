"""The linear probe against scikit-learn and an independent loop, and its laws."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from fedssl.errors import UserError
from fedssl.evaluation.probe import fit_probe, predict
from fedssl.evaluation.settings import LinearProbe
from fedssl.randomness import stream

CLASSES = 4
SETTINGS = LinearProbe(
    epochs=60,
    lr=0.03,
    milestones=(0.6, 0.8),
    decay=0.1,
    batch_size=32,
    momentum=0.9,
    weight_decay=0.0,
    standardise=False,
)


def clusters(samples: int, *, seed: int, spread: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % CLASSES
    centres = 2.0 * torch.eye(CLASSES, 6)
    return centres[labels] + spread * torch.randn(samples, 6, generator=generator), labels


def fit(features: Tensor, labels: Tensor, *, seed: int = 0, **changed: float) -> nn.Linear:
    settings = replace(SETTINGS, **changed)
    return fit_probe(features, labels, num_classes=CLASSES, settings=settings, seed=seed)


def test_separable_classes_are_told_apart_as_by_sklearn() -> None:
    features, labels = clusters(240, seed=0, spread=0.25)
    queries, wanted = clusters(200, seed=1, spread=0.25)
    found = predict(fit(features, labels), queries)
    reference = LogisticRegression().fit(features.numpy(), labels.numpy())
    assert found.tolist() == reference.predict(queries.numpy()).tolist()
    assert torch.equal(found, wanted)


def test_overlapping_classes_reach_sklearns_optimum() -> None:
    features, labels = clusters(240, seed=0, spread=1.5)
    # With all samples in one batch every seed ends at the one optimum of a convex problem.
    probe = fit(features, labels, epochs=400, lr=0.1, milestones=(), batch_size=240)
    reference = LogisticRegression(C=math.inf, tol=1e-8, max_iter=1000)
    inputs = features.double().numpy()
    expected = reference.fit(inputs, labels.numpy()).predict_proba(inputs)
    ours = probe(features).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-3)
    assert np.ptp(expected) > 0.9, "a constant prediction would pass"


def test_it_is_the_textbook_loop() -> None:
    features, labels = clusters(75, seed=2, spread=1.5)
    weight = torch.zeros(CLASSES, 7, dtype=torch.float64)
    inputs = torch.cat([features, torch.ones(75, 1)], dim=1).double()
    velocity, rng = torch.zeros_like(weight), stream(3, "linear probe")
    for epoch in range(10):
        lr = 0.03 * 0.1 ** ((epoch >= 6) + (epoch >= 8))
        order = rng.permutation(75)
        for batch in (order[:32], order[32:64], order[64:]):
            x, y = inputs[batch], torch.eye(CLASSES, dtype=torch.float64)[labels[batch]]
            gradient = ((x @ weight.T).softmax(dim=1) - y).T @ x / len(batch)
            velocity = 0.9 * velocity + gradient
            weight -= lr * (gradient + 0.9 * velocity)
    probe = fit(features, labels, epochs=10, seed=3)
    found = torch.cat([probe.weight, probe.bias[:, None]], dim=1).detach().double()
    torch.testing.assert_close(found, weight, atol=1e-5, rtol=1e-4)


def test_it_is_a_function_of_its_seed_and_leaves_the_global_generator_alone() -> None:
    features, labels = clusters(100, seed=0, spread=1.0)
    before, legacy = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = fit(features, labels, epochs=5)
    torch.manual_seed(99)
    again, other = fit(features, labels, epochs=5), fit(features, labels, epochs=5, seed=1)
    assert torch.equal(first.weight, again.weight) and torch.equal(first.bias, again.bias)
    assert not torch.equal(first.weight, other.weight)
    assert np.array_equal(np.random.get_state()[1], legacy)
    torch.manual_seed(99)
    expected = torch.rand(3)
    torch.manual_seed(99)
    fit(features, labels, epochs=1)
    assert torch.equal(torch.rand(3), expected)
    torch.random.set_rng_state(before)


def test_standardised_features_make_the_probe_blind_to_scale_and_offset() -> None:
    features, labels = clusters(240, seed=0, spread=0.5)
    queries, _ = clusters(100, seed=1, spread=0.5)
    scale, offset = torch.tensor([0.01, 1.0, 40.0, 3.0, 0.5, 7.0]), torch.arange(6) - 2.0
    plain = fit(features, labels, standardise=True)
    moved = fit(features * scale + offset, labels, standardise=True)
    expected = plain(queries)
    torch.testing.assert_close(moved(queries * scale + offset), expected, atol=5e-3, rtol=5e-3)
    raw = fit(features * scale + offset, labels)(queries * scale + offset)
    assert (raw - expected).abs().max() > 1, "without it the scale would show"


def test_standardising_is_a_probe_on_standardised_features() -> None:
    features, labels = clusters(90, seed=0, spread=1.0)
    unit = (features - features.mean(dim=0)) / features.std(dim=0, correction=0)
    found, expected = fit(features, labels, standardise=True), fit(unit, labels)
    torch.testing.assert_close(found(features), expected(unit), atol=1e-4, rtol=1e-4)


def test_a_feature_that_never_moves_has_no_say() -> None:
    features, labels = clusters(90, seed=0, spread=1.0)
    features[:, 4], features[:, 5] = 0.1, 0.0
    probe = fit(features, labels, standardise=True)
    assert not probe.weight[:, 4:].any() and probe.weight[:, :4].all()


def test_renaming_the_classes_renames_the_predictions() -> None:
    features, labels = clusters(120, seed=0, spread=1.5)
    new_name = torch.tensor([2, 0, 3, 1])
    plain, renamed = fit(features, labels), fit(features, new_name[labels])
    torch.testing.assert_close(renamed.weight[new_name], plain.weight)
    assert torch.equal(predict(renamed, features), new_name[predict(plain, features)])


def test_the_order_of_samples_matters_only_to_the_batches() -> None:
    features, labels = clusters(60, seed=0, spread=1.5)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    whole = fit(features, labels, batch_size=60)
    shuffled = fit(features[order], labels[order], batch_size=60)
    torch.testing.assert_close(shuffled.weight, whole.weight, atol=1e-5, rtol=1e-4)
    predicted = predict(whole, features)
    assert torch.equal(predict(whole, features[order]), predicted[order])


def test_features_from_inference_mode_can_be_probed_and_stay_as_they_were() -> None:
    with torch.inference_mode():
        features, labels = clusters(64, seed=0, spread=0.5)
    copies = features.clone(), labels.clone()
    probe = fit(features, labels, epochs=1, batch_size=64)
    assert probe.weight.any()
    assert torch.equal(features, copies[0]) and torch.equal(labels, copies[1])


def test_every_query_is_predicted() -> None:
    probe = fit(*clusters(40, seed=0, spread=0.5), epochs=1)
    assert predict(probe, torch.zeros(300, 6)).shape == (300,)
    assert predict(probe, torch.zeros(0, 6)).shape == (0,)


def test_what_cannot_be_probed_is_named() -> None:
    features, labels = clusters(40, seed=0, spread=0.5)
    with pytest.raises(UserError, match=r"Labels have the shape \(39,\) for 40 samples"):
        fit(features, labels[1:])
    with pytest.raises(UserError, match=r"run from 0 to 4; they must be between 0 and 3"):
        fit(features, labels + (labels == 3))
    with pytest.raises(UserError, match=r"features are \(40, 2, 3\)"):
        fit(features.view(40, 2, 3), labels)
    with pytest.raises(UserError, match=r"Labels have the shape \(0,\)"):
        fit(features[:0], labels[:0])
    features[3, 2] = torch.nan
    with pytest.raises(UserError, match="NaN or infinity"):
        fit(features, labels)
