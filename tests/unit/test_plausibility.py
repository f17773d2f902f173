"""Facts next to a score: collapse, chance, duplicates and unseen classes, by hand and by laws."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedssl.data.banks.bank import open_bank
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from fedssl.evaluation.job_files import write_metric
from fedssl.evaluation.plausibility import (
    COLLAPSED_RANK,
    chance,
    duplicate_facts,
    effective_rank,
    feature_facts,
)
from fedssl.evaluation.protocols import Features, top1
from fedssl.files import sha256
from fedssl.views.statistics import write_statistics
from tests.unit import banks
from tests.unit.federations import SETTINGS


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


@pytest.mark.parametrize(
    ("memory", "queries", "k", "expected"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3], 1, 25.0),
        ([0, 0, 0, 1], [0, 1], 1, 50.0),
        ([0, 0, 0, 1], [0, 0], 1, 75.0),
        ([0, 1], [0, 2], 1, 25.0),  # class 2 is never seen
        ([0, 1, 2, 3], [0, 1], 2, 100 * (1 - 0.75**2)),
    ],
)
def test_chance_by_hand(memory: list[int], queries: list[int], k: int, expected: float) -> None:
    assert chance(np.array(memory), np.array(queries), k=k) == pytest.approx(expected)


def test_chance_is_the_score_of_random_training_samples() -> None:
    rng = np.random.default_rng(0)
    memory, queries = rng.integers(0, 7, 300), rng.integers(0, 7, 100_000)
    drawn = rng.choice(memory, size=(len(queries), 3))
    for k in (1, 3):
        found = 100.0 * (drawn[:, :k] == queries[:, None]).any(axis=1).mean()
        assert chance(memory, queries, k=k) == pytest.approx(found, abs=0.6)


def test_the_score_without_duplicates_by_hand() -> None:
    correct = np.array([True, True, False, True])
    facts = duplicate_facts(correct, np.array([True, False, False, False]))
    assert facts == {"duplicates": 1, "value_without_duplicates": pytest.approx(100 * 2 / 3)}
    everything = duplicate_facts(correct, np.ones(4, dtype=bool))
    assert everything == {"duplicates": 4, "value_without_duplicates": None}
    assert duplicate_facts(correct, None) == {}


def test_copies_between_the_splits_of_a_bank_are_counted(tmp_path: Path) -> None:
    members = [each for each in banks.images(9) if isinstance(each, Sample)]
    train, scored = members[:6], members[6:]
    # The same picture under another name and class, and a picture that two test samples share.
    copy, first, second = (
        replace(scored[0], data=train[2].data),
        scored[1],
        replace(scored[2], data=scored[1].data),
    )
    facts = banks.write([*train, copy, first, second], tmp_path)
    bank = open_bank(tmp_path)
    found = bank.duplicates(bank.indices("test"), of=bank.indices("train"))
    assert found is not None and found.tolist() == [True, False, False]
    assert facts["duplicates"] == {"test": 1}


def test_a_bank_of_an_earlier_version_says_nothing_of_duplicates(tmp_path: Path) -> None:
    banks.write(banks.images(9), tmp_path)
    index = pd.read_parquet(tmp_path / "index.parquet").drop(columns="content")
    index.to_parquet(tmp_path / "index.parquet")
    facts = json.loads((tmp_path / "bank.json").read_text())
    own = tmp_path / "index.parquet"
    facts["files"]["index.parquet"] = {"size": own.stat().st_size, "sha256": sha256(own)}
    del facts["blocks"]
    (tmp_path / "bank.json").write_text(json.dumps(facts))
    bank = open_bank(tmp_path)
    assert bank.duplicates(bank.indices("test"), of=bank.indices("train")) is None


def test_a_metric_says_how_far_to_trust_it(tmp_path: Path) -> None:
    members = [each for each in banks.images(9) if isinstance(each, Sample)]
    members[6] = replace(members[6], data=members[0].data)
    banks.write(members, tmp_path / "bank")
    bank = open_bank(tmp_path / "bank")
    scored = bank.indices("test")
    result = top1(torch.tensor(bank.labels[scored]), torch.tensor(bank.labels[scored]))
    path = tmp_path / "knn.json"
    identity = {"seed": "0", "task": "toy"}
    write_metric(result, bank, positions=scored, protocol="knn", identity=identity, path=str(path))
    metric = json.loads(path.read_text())
    assert metric["chance"] == pytest.approx(100 / 3)
    assert (metric["duplicates"], metric["value_without_duplicates"]) == (1, 100.0)


def test_silence_cannot_be_normalised(tmp_path: Path) -> None:
    silence = np.zeros(8000, dtype=np.int16)
    clips = [Sample(f"{i}.wav", "a", "train", silence) for i in range(4)]
    banks.write(clips, tmp_path / "bank")
    path = tmp_path / "statistics.json"
    with pytest.raises(UserError, match=r"4 training clips of toy .* are they all silent\?"):
        write_statistics(open_bank(tmp_path / "bank"), path, audio=SETTINGS["audio"])  # type: ignore[arg-type]
    assert not path.exists()
