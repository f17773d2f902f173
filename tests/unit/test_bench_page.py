"""The page of `make bench`: targets are judged as printed, and no missing comparison is hidden."""

from pathlib import Path

import pytest
from benchmarks.bench import COMPARISONS, PEERS
from benchmarks.peers.environments import pins_of
from benchmarks.peers.page import Row, row, write


@pytest.mark.parametrize(
    ("ratio", "target", "at_most", "met"),
    [
        (1.0, 1.0, False, True),
        (0.996, 1.0, False, True),  # prints as 1.00
        (0.99, 1.0, False, False),
        (1.02, 1.02, True, True),
        (1.03, 1.02, True, False),
    ],
)
def test_a_target_is_judged_as_it_is_printed(
    ratio: float, target: float, at_most: bool, met: bool
) -> None:
    found = Row("round", "peer", ratio, "CPU", target=target, at_most=at_most).verdict()
    assert ("**missed**" in found) is not met


def test_a_ratio_is_the_median_over_turns_and_not_of_medians() -> None:
    ours = [{"cpu": 1.0, "wall": 1.0}, {"cpu": 10.0, "wall": 10.0}, {"cpu": 1.0, "wall": 2.0}]
    theirs = [{"cpu": 2.0, "wall": 3.0}, {"cpu": 20.0, "wall": 30.0}, {"cpu": 9.0, "wall": 2.0}]
    found = row("round", "peer", ours, theirs, measure="cpu")
    assert (found.ratio, found.clock) == (2.0, 3.0)


def test_the_page_shows_missed_targets_and_what_was_not_measured(tmp_path: Path) -> None:
    rows = [Row("round", "slow", 2.0, "CPU", target=1.0), Row("kNN", "fast", 0.5, "CPU", target=1)]
    page = tmp_path / "performance.md"
    write(page, rows, ["t-SNE: no such package"], versions=["pfl==1"], loads=[1.0])
    text = page.read_text()
    assert "| kNN | fast |  | 0.50 CPU |  | at least 1: **missed** |" in text
    assert "Not measured: t-SNE: no such package." in text


def test_peers_run_on_the_packages_of_the_project() -> None:
    used = {peer for peers, _ in COMPARISONS.values() for peer in peers}
    assert used == set(PEERS)
    for peer in PEERS:
        pins = [line for line in pins_of(peer).read_text().splitlines() if line[0] != "#"]
        names = {pin.split("==")[0].lower() for pin in pins}
        assert all("==" in pin for pin in pins)
        assert not names & {"torch", "torchvision", "numpy", "scipy", "scikit-learn"}
