"""Audio-visual pieces: mean logits and joined features by hand, pairing laws, parameter counts."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fedssl import backbones
from fedssl.data.pairing import pair_by_label
from fedssl.errors import UserError
from fedssl.evaluation.knn import knn_predict
from fedssl.evaluation.paired import joined_features, mean_features, num_parameters
from fedssl.evaluation.probe import fit_probe, predict
from fedssl.evaluation.settings import LinearProbe
from fedssl.randomness import stream

SETTINGS = LinearProbe(
    epochs=5,
    lr=0.03,
    milestones=(0.6, 0.8),
    decay=0.1,
    batch_size=16,
    momentum=0.9,
    weight_decay=0.0,
    standardise=False,
)


def pairs(count: int, *, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    image, audio = torch.randn(2, count, 4, generator=generator) + labels[:, None]
    return image, audio, labels


def test_the_class_is_the_argmax_of_the_mean_logits_by_hand() -> None:
    # Image logits (3, 0, 2) + 1, audio logits (0, 3, 2) + 1: their mean is (1.5, 1.5, 2) + 1.
    head = nn.Linear(2, 3)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 3.0], [2.0, 2.0]]))
        head.bias.fill_(1.0)
    image, audio = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert head(mean_features(image, audio)).tolist() == [[2.5, 2.5, 3.0]]
    found = [predict(head, x).item() for x in (image, audio, mean_features(image, audio))]
    assert found == [0, 1, 2]


def test_the_probe_on_mean_features_is_a_shared_layer_trained_on_mean_logits() -> None:
    image, audio, labels = pairs(40, seed=0)
    layer = nn.Linear(4, 3)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.03, momentum=0.9, nesterov=True)
    rng = stream(7, "linear probe")
    for epoch in range(5):
        optimiser.param_groups[0]["lr"] = [0.03, 0.03, 0.03, 0.003, 0.0003][epoch]
        order = torch.from_numpy(rng.permutation(40))
        for batch in torch.split(order, 16):
            logits = torch.stack([layer(image[batch]), layer(audio[batch])]).mean(dim=0)
            optimiser.zero_grad()
            cross_entropy(logits, labels[batch]).backward()
            optimiser.step()
    found = fit_probe(mean_features(image, audio), labels, num_classes=3, settings=SETTINGS, seed=7)
    torch.testing.assert_close(found.weight, layer.weight, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found.bias, layer.bias, atol=1e-6, rtol=1e-4)


def test_joined_features_by_hand() -> None:
    # (3, 4) -> (0.6, 0.8), (0, 0, 5) -> (0, 0, 1), and both together over sqrt 2.
    joined = joined_features(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0, 5.0]]))
    expected = torch.tensor([[0.6, 0.8, 0.0, 0.0, 1.0]]) / math.sqrt(2)
    torch.testing.assert_close(joined, expected)


def test_in_the_joined_features_neither_modality_outweighs_the_other() -> None:
    image, audio, _ = pairs(30, seed=1)
    joined = joined_features(image, audio)
    torch.testing.assert_close(joined.norm(dim=1), torch.ones(30))
    torch.testing.assert_close(joined_features(1000 * image, 0.001 * audio), joined)
    cosine = torch.cosine_similarity
    mean = (cosine(image[:1], image) + cosine(audio[:1], audio)) / 2
    torch.testing.assert_close(joined[:1] @ joined.T, mean[None])


def test_knn_needs_both_modalities_where_each_alone_is_ambiguous() -> None:
    # Class = exclusive or of what is seen and what is heard.
    corners = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    axes, labels = torch.eye(2), torch.tensor([0, 1, 1, 0])
    image, audio = axes[corners[:, 0]], axes[corners[:, 1]]

    def score(features: Tensor) -> int:
        found = knn_predict(
            features, features, bank_labels=labels, num_classes=2, k=1, temperature=0.1
        )
        return int((found == labels).sum())

    assert (score(joined_features(image, audio)), score(image), score(audio)) == (4, 2, 2)


def test_a_silent_pair_has_only_its_image() -> None:
    joined = joined_features(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
    torch.testing.assert_close(joined, torch.tensor([[0.6, 0.8, 0.0, 0.0]]))


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=5),
    seed=st.integers(0, 2**31),
)
def test_a_sound_gets_an_image_of_its_label_that_no_other_has(counts, seed) -> None:
    rng = np.random.default_rng(seed)
    sounds = rng.permutation(np.repeat(np.arange(len(counts)), [count for count, _ in counts]))
    images = np.repeat(np.arange(len(counts)), [count + more for count, more in counts])
    images = rng.permutation(images)
    positions = pair_by_label(images, sounds, seed=seed)
    assert np.array_equal(images[positions], sounds)
    assert len(set(positions.tolist())) == len(sounds)
    assert np.array_equal(pair_by_label(images, sounds, seed=seed), positions)


def test_pairs_of_mnists_and_fsdds_sizes() -> None:
    rng = np.random.default_rng(0)
    for images, sounds in ((60_000, 2_700), (10_000, 300)):
        digits = np.arange(sounds) % 10
        positions = pair_by_label(rng.integers(0, 10, images), digits, seed=0)
        assert positions.shape == (sounds,) and len(np.unique(positions)) == sounds
        assert positions.max() > images // 2, "drawn from all images, not from the first"


def test_other_seeds_give_other_pairs() -> None:
    labels = np.arange(200) % 10
    first, other = (pair_by_label(labels, labels[:50], seed=seed) for seed in (0, 1))
    assert not np.array_equal(first, other)


def test_what_cannot_be_paired_is_named() -> None:
    with pytest.raises(UserError, match="label 1 has 1 images and 2 sounds"):
        pair_by_label(np.array([0, 0, 1]), np.array([1, 1]), seed=0)
    with pytest.raises(UserError, match=r"\(3, 4\) and \(3, 5\)"):
        mean_features(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(UserError, match="3 images and 2 sounds; pairs need"):
        joined_features(torch.zeros(3, 4), torch.zeros(2, 4))
    with pytest.raises(UserError, match="sounds contain NaN"):
        joined_features(torch.zeros(1, 4), torch.full((1, 4), torch.nan))


def test_two_specialists_have_twice_the_parameters_and_one_encoder_has_them_once() -> None:
    first, second = backbones.build("resnet18"), backbones.build("resnet18")
    assert num_parameters(first) == num_parameters(first, first) == 11_242_176
    assert num_parameters(first, second) == 2 * 11_242_176
