"""A handful of the fault campaign, and what its judgement rests on."""

import random
from pathlib import Path
from typing import NamedTuple

import pytest
from benchmarks.chaos import disk, flat
from benchmarks.chaos.campaign import campaign, undisturbed
from benchmarks.chaos.clone import TARGETS, Clone, Ended
from benchmarks.chaos.compare import fingerprint
from benchmarks.chaos.finished import AtRest, copied
from benchmarks.chaos.kills import Moments, aimed, at_random, killed_run
from benchmarks.chaos.outcome import Fault, Journal, Outcome, judge, markdown, remains
from benchmarks.chaos.watch import Watch

# The worst moments of a small cell, each at one of its appearances.
WORST = {
    "building a bank": 2,
    "between weights and commit of a checkpoint": 3,
    "recording a pretraining": 1,
}


class Whole(NamedTuple):
    """A run without a fault, and what it made."""

    clone: Clone
    expected: dict[str, str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    root = tmp_path_factory.mktemp("whole") / "clone"
    return Whole(*undisturbed(root, targets=TARGETS[:1]))


@pytest.mark.slow
def test_kills_at_the_worst_moments_change_no_bit(whole: Whole, tmp_path: Path) -> None:
    clone = Clone.of_checkout(tmp_path / "killed").asking(*TARGETS[:1])
    killer = aimed(clone.folder, Moments(dict(WORST)))
    kills, ended = killed_run(clone, killer, random.Random(0), most=len(WORST))
    assert {kill.when for kill in kills} == set(WORST)
    assert judge(clone, ended, whole.expected) == (Outcome.IDENTICAL, "")
    assert remains(clone, ended) == ()


@pytest.mark.parametrize("way", ["zeroed", "one bit flipped"])
def test_a_damaged_file_of_any_kind_is_named(whole: Whole, way: str, tmp_path: Path) -> None:
    found = list(AtRest(*whole, tmp_path / "damaged").run(way, seed=0))
    assert {fault.kind for fault in found} >= {"bank array (images)", "shards", "model", "score"}
    assert {fault.outcome for fault in found} == {Outcome.FOUND}


def test_a_wrong_file_that_the_audit_passes_is_silent(whole: Whole) -> None:
    other = whole.expected | {"banks/tiny-imagenet/labels.npy": "another hash"}
    outcome, detail = judge(whole.clone, Ended(0, ""), other)
    assert outcome is Outcome.SILENT and "labels.npy" in detail


def test_a_failure_without_a_sentence_is_unclear(whole: Whole) -> None:
    said = Ended(1, "fedssl: a.npy was changed; delete it\n")
    assert judge(whole.clone, said, {}, named="a.npy")[0] is Outcome.REFUSED
    assert judge(whole.clone, said, {}, named="b.npy")[0] is Outcome.UNCLEAR
    assert judge(whole.clone, Ended(1, "Traceback: a.npy"), {})[0] is Outcome.UNCLEAR


def test_a_campaign_goes_on_from_its_journal_and_counts_kills(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "faults.jsonl")
    journal.add(Fault("SIGKILL", "a moment", "one", Outcome.IDENTICAL, times=3))
    journal.add(Fault("model", "zeroed", "two", Outcome.SILENT, left=("a.part",)))
    again = Journal(tmp_path / "faults.jsonl")
    assert again.faults == journal.faults and again.has("two") and not again.has("three")
    table = markdown(again.faults)
    assert "| SIGKILL | a moment | 3 | 3 | 3 | 0 | 0 | 0 | 0 | 0 |" in table
    assert "| all |  | 4 | 3 | 3 | 0 | 0 | 0 | 1 | 1 |" in table
    assert table.endswith("silent faults: 1")


@pytest.mark.parametrize("byte", [b"\r", b"\xff"])
def test_a_damaged_history_differs(tmp_path: Path, byte: bytes) -> None:
    path = tmp_path / "rounds.csv"
    path.write_bytes(b"round,seconds\n1,2.5\n2,2.5\n")
    whole = fingerprint(tmp_path, "results/demo")
    path.write_bytes(path.read_bytes().replace(b"2,2.5", byte + b",2.5"))
    assert fingerprint(tmp_path, "results/demo") != whole


def test_the_place_of_results_is_no_difference(tmp_path: Path) -> None:
    found = []
    for named in ("results/demo", "/shared/results"):
        (tmp_path / "table.csv").write_text(f"cell,accuracy\n{named}/pretrain/model,50\n")
        found.append(fingerprint(tmp_path, named))
    assert found[0] == found[1]


def test_only_a_file_system_of_its_own_is_filled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not filled"):
        disk.fill(tmp_path, leaving=0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_seen_also_in_a_folder_that_has_just_appeared(tmp_path: Path) -> None:
    with Watch(tmp_path) as watch:
        (tmp_path / "a/b").mkdir(parents=True)
        (tmp_path / "a/b/first").touch()
        (tmp_path / "a/b/second").touch()
        assert {name for name in watch.appeared(0.5) if name} == {"a/b/first", "a/b/second"}


@pytest.mark.slow
def test_a_campaign_has_no_silent_fault(tmp_path: Path) -> None:
    found = campaign(tmp_path, kills=24, seed=1)
    assert not [fault for fault in found if fault.outcome is Outcome.SILENT]


@pytest.mark.slow
def test_random_kills_change_no_bit(whole: Whole, tmp_path: Path) -> None:
    for seed in range(3):
        clone = copied(Clone.of_checkout(tmp_path / "fresh"), tmp_path / str(seed))
        clone = clone.asking(*TARGETS[:1])
        kills, ended = killed_run(clone, at_random(15), random.Random(seed), most=5)
        assert kills and judge(clone, ended, whole.expected)[0] is Outcome.IDENTICAL


@pytest.mark.slow
def test_memory_and_descriptors_are_flat_over_a_thousand_rounds(tmp_path: Path) -> None:
    first, *_, last = flat.samples(tmp_path, rounds=1000)
    assert (first.round, last.round) == (100, 1000)
    # A file may be open at one of the moments.
    assert abs(last.descriptors - first.descriptors) <= 2
    # The history of 1,000 rounds is less than a megabyte.
    assert last.resident_mb < first.resident_mb + 20
