"""Tables 4 and 5 as jobs: which are planned, from which checkpoints, and which cannot be."""

import pytest

from tests.workflow.project import Project

DEMO = ("--configfile", "config/demo.yaml")
FOLDER = "fssuavl/simclr/resnet18/fedavg"
IMAGE, AUDIO = "a0-i100-b0", "a100-i0-b0"


def score(split: str, protocol: str) -> str:
    return f"results/demo/evaluate/{FOLDER}/{split}/base/seed0/mnist-fsdd/{protocol}.json"


def test_the_papers_grid_is_planned_without_any_data(copy: Project) -> None:
    planned = copy.planned("fssuavl_table4", "fssuavl_table5", config=())
    jobs = {rule: count for rule, count in planned.items() if rule.startswith("paired")}
    # Two encoders, three seeds, two pairs of datasets.
    assert jobs == dict.fromkeys(
        ("paired", "paired_image", "paired_audio", "paired_specialists", "paired_random_init"), 12
    )
    assert planned["pretrain"] == 18 and planned["table"] == 2 and "evaluate" not in planned


def test_two_specialists_are_scored_from_both_checkpoints(copy: Project) -> None:
    target = score(f"{IMAGE}+{AUDIO}", "knn-av")
    plan = copy.plan(target, config=DEMO)
    assert plan.jobs["pretrain"] == 2 and plan.jobs["paired_specialists"] == 1
    assert plan.models == {f"simclr resnet18 fedavg {split} base" for split in (IMAGE, AUDIO)}


def test_an_image_specialist_waits_for_no_spectrogram_statistics(copy: Project) -> None:
    planned = copy.planned(score(IMAGE, "transfer"), config=DEMO)
    assert planned["paired_image"] == 1 and "normalisation" not in planned


@pytest.mark.parametrize(
    ("split", "protocol"),
    [
        (IMAGE, "knn-a"),
        (AUDIO, "knn-v"),
        (f"{IMAGE}+{AUDIO}", "transfer"),
    ],
)
def test_a_score_that_an_encoder_cannot_have_is_no_target(
    split: str, protocol: str, copy: Project
) -> None:
    printed = copy.run("--dry-run", score(split, protocol), config=DEMO, ok=False)
    assert f"no rule makes {score(split, protocol)}" in printed
    assert "that folder has" in printed and f" {protocol}.json" not in printed
