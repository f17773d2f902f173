"""Tables 4 and 5 as jobs: which are planned, from which checkpoints, and which cannot be."""

import pytest

from tests.workflow.project import Project

DEMO = ("--configfile", "config/demo.yaml")
FOLDER = "fssuavl/simclr/resnet18/fedavg"
IMAGE, AUDIO = "a0-i100-b0", "a100-i0-b0"


def score(split: str, protocol: str) -> str:
    return f"results/demo/evaluate/{FOLDER}/{split}/base/seed0/mnist-fsdd/{protocol}.json"


def test_the_papers_grid_is_planned_without_any_data(edited: Project) -> None:
    planned = edited.planned("fssuavl_table4", "fssuavl_table5", config=())
    jobs = {rule: count for rule, count in planned.items() if rule.startswith("paired")}
    # Two encoders, three seeds, two pairs of datasets.
    assert jobs == dict.fromkeys(
        ("paired", "paired_image", "paired_audio", "paired_specialists", "paired_random_init"), 12
    )
    assert planned["pretrain"] == 18 and planned["table"] == 2 and "evaluate" not in planned


def test_two_specialists_are_scored_from_both_checkpoints(edited: Project) -> None:
    printed = edited.run("--dry-run", score(f"{IMAGE}+{AUDIO}", "knn-av"), config=DEMO)
    assert printed.count("rule pretrain:") == 2
    models = [
        f"results/demo/pretrain/{FOLDER}/{s}/base/seed0/model.safetensors" for s in (IMAGE, AUDIO)
    ]
    assert f"input: {models[0]}, {models[1]}, " in printed


def test_an_image_specialist_waits_for_no_spectrogram_statistics(edited: Project) -> None:
    planned = edited.planned(score(IMAGE, "transfer"), config=DEMO)
    assert planned["paired_image"] == 1 and "normalisation" not in planned


@pytest.mark.parametrize(
    ("split", "protocol"),
    [
        (IMAGE, "knn-a"),
        (IMAGE, "knn-av"),
        (AUDIO, "knn-v"),
        (AUDIO, "knn-av"),
        (f"{IMAGE}+{AUDIO}", "transfer"),
        (f"{IMAGE}+{AUDIO}", "knn-v"),
    ],
)
def test_a_score_that_an_encoder_cannot_have_is_no_target(
    split: str, protocol: str, edited: Project
) -> None:
    printed = edited.run("--dry-run", score(split, protocol), config=DEMO, ok=False)
    assert "MissingRuleException" in printed
