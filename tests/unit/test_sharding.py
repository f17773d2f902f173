"""Shards: no sample is lost, cuts computed by hand, and an independent implementation."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from flwr_datasets.partitioner import DirichletPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st

from fedssl.data.banks.bank import Bank
from fedssl.data.banks.rows import MemoryRows
from fedssl.data.sharding import (
    client_modalities,
    dirichlet_shards,
    read_shards,
    split_by_shares,
    write_shards,
)
from fedssl.errors import UserError
from fedssl.grid.splits import parse_split

SHARDING = {"alpha": 0.5, "clients": 4, "min_samples": 2}


def bank(labels: np.ndarray, digest: str = "d" * 64) -> Bank:
    splits = np.array(["train", "test"] * (len(labels) // 2))
    classes = tuple(f"c{i}" for i in range(int(labels.max()) + 1))
    # Its samples are never read.
    rows = MemoryRows(np.zeros((len(labels), 1, 1, 3), dtype=np.uint8))
    return Bank("fake", "image", classes, digest, labels, splits, 0, None, rows, None, None, None)


@settings(deadline=None, max_examples=60)
@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=200),
    clients=st.integers(1, 30),
    alpha=st.sampled_from([0.05, 0.1, 1.0, 100.0]),
    seed=st.integers(0, 2**32),
)
def test_every_sample_goes_to_exactly_one_client(
    labels: list[int], clients: int, alpha: float, seed: int
) -> None:
    shards = dirichlet_shards(np.array(labels), clients, alpha=alpha, seed=seed)
    assert len(shards) == clients
    assert sorted(np.concatenate(shards).tolist()) == list(range(len(labels)))
    again = dirichlet_shards(np.array(labels), clients, alpha=alpha, seed=seed)
    assert all((one == other).all() for one, other in zip(shards, again, strict=True))


def test_the_cuts_by_hand() -> None:
    first = split_by_shares(np.arange(10), np.array([0.5, 0.3, 0.2]))
    second = split_by_shares(np.arange(6), np.array([0.1, 0.6, 0.3]))
    assert [len(part) for part in first] == [5, 3, 2]
    assert [len(part) for part in second] == [0, 4, 2]
    totals = [len(a) + len(b) for a, b in zip(first, second, strict=True)]
    assert totals == [5, 7, 4]


def test_a_large_alpha_is_even_and_seeds_differ() -> None:
    labels = np.repeat(np.arange(5), 400)
    shards = dirichlet_shards(labels, 20, alpha=1e6, seed=0)
    counts = np.array([np.bincount(labels[shard], minlength=5) for shard in shards])
    assert np.abs(counts - 20).max() <= 2
    other = dirichlet_shards(labels, 20, alpha=1e6, seed=1)
    assert any((a.shape != b.shape) or (a != b).any() for a, b in zip(shards, other, strict=True))


def test_heterogeneity_is_that_of_flwr_datasets() -> None:
    """The mean of the clients' largest class share agrees with an independent partitioner."""
    from datasets import Dataset

    labels = np.repeat(np.arange(10), 300)
    ours, theirs = [], []
    for seed in range(6):
        shards = dirichlet_shards(labels, 20, alpha=0.3, seed=seed)
        ours += [np.bincount(labels[s], minlength=10).max() / len(s) for s in shards if len(s)]
        partitioner = DirichletPartitioner(
            20, "label", alpha=0.3, min_partition_size=0, self_balancing=False, seed=seed
        )
        partitioner.dataset = Dataset.from_dict({"label": labels})
        parts = [np.array(partitioner.load_partition(i)["label"]) for i in range(20)]
        theirs += [np.bincount(p, minlength=10).max() / len(p) for p in parts if len(p)]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.05)


def test_a_shard_file_says_what_it_holds(tmp_path: Path) -> None:
    labels = np.tile(np.arange(4).repeat(2), 25)
    path = tmp_path / "seed0.json"
    write_shards(bank(labels), path, sharding=SHARDING, seed=0)
    content = json.loads(path.read_text())
    assert content["dropped"] == 0 and content["small_clients"] == []
    assert np.sum(content["histogram"]) == 100
    shards = read_shards(path, bank(labels))
    assert sorted(np.concatenate(shards).tolist()) == list(range(0, 200, 2))
    for shard, histogram in zip(shards, content["histogram"], strict=True):
        assert np.bincount(labels[shard], minlength=4).tolist() == histogram
    first = path.read_bytes()
    write_shards(bank(labels), path, sharding=SHARDING, seed=0)
    assert path.read_bytes() == first


def test_a_shard_file_of_another_bank_or_with_a_changed_digit_is_refused(tmp_path: Path) -> None:
    labels = np.tile(np.arange(4).repeat(2), 25)
    path = tmp_path / "seed0.json"
    write_shards(bank(labels), path, sharding=SHARDING, seed=0)
    with pytest.raises(UserError, match=r"drawn for the bank dddd.* is eeee"):
        read_shards(path, bank(labels, digest="e" * 64))
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(UserError, match="does not match its own digest"):
        read_shards(path, bank(labels))


def test_clients_that_fall_short_are_accepted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "seed0.json"
    sharding = SHARDING | {"clients": 5, "alpha": 0.01}
    write_shards(bank(np.zeros(20, int)), path, sharding=sharding, seed=0)
    content = json.loads(path.read_text())
    assert content["draw"] == 99 and content["small_clients"]
    words = f"fake: {len(content['small_clients'])} of 5 clients have fewer than 2 samples"
    assert words in caplog.text and "federation.clients" in caplog.text


def test_too_few_samples_for_any_draw_are_refused(tmp_path: Path) -> None:
    sharding = SHARDING | {"clients": 5}
    words = r"fake has 9 training .* 5 clients with at least 2 .*federation\.clients to at most 4\."
    with pytest.raises(UserError, match=words):
        write_shards(bank(np.zeros(18, int)), tmp_path / "a.json", sharding=sharding, seed=0)
    write_shards(bank(np.zeros(20, int)), tmp_path / "b.json", sharding=sharding, seed=0)
    assert (tmp_path / "b.json").is_file() and not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("text", ["a33-i33-b33", "a100-i100-b0", "a0-i0-b0"])
def test_a_split_must_sum_to_100(text: str) -> None:
    with pytest.raises(UserError, match=r"sums to \d+ percent.*must be 100"):
        parse_split(text)


@pytest.mark.parametrize("text", ["", "a1-i2", "i0-a0-b100", "a-1-i1-b100", "A0-I0-B100"])
def test_a_split_must_be_spelt_right(text: str) -> None:
    with pytest.raises(UserError, match="a33-i33-b34"):
        parse_split(text)


@pytest.mark.parametrize(
    ("text", "clients", "counts"),
    [
        ("a33-i33-b34", 100, (33, 33, 34)),
        ("a50-i50-b0", 20, (10, 10, 0)),
        ("a0-i100-b0", 7, (0, 7, 0)),
        ("a33-i33-b34", 8, (2, 3, 3)),
    ],
)
def test_clients_per_kind(text: str, clients: int, counts: tuple[int, int, int]) -> None:
    held = client_modalities(parse_split(text), clients, seed=0)
    kinds = (held.count(("audio",)), held.count(("image",)), held.count(("image", "audio")))
    assert kinds == counts


def test_a_sweep_is_nested() -> None:
    both = []
    for share in (0, 10, 30, 50, 70, 100):
        held = client_modalities(parse_split(f"a0-i{100 - share}-b{share}"), 50, seed=3)
        both.append({client for client, kinds in enumerate(held) if len(kinds) == 2})
    assert all(small < large for small, large in itertools.pairwise(both))
