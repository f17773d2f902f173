"""The worked example of config/README.md: own sounds, from a folder to a score, without code."""

import csv
import re
import zipfile
from pathlib import Path

import pytest

from fedssl.data.made_up.archives import write_archives
from tests.unit.archives import real_archives
from tests.workflow.project import ROOT, Project

CONFIG = ("--configfile", "config/demo.yaml", "my.yaml", "tests/workflow/own.yaml")
BANK = "results/demo/banks/my-sounds/bank.json"


def example(language: str) -> str:
    section = (ROOT / "config/README.md").read_text().split("### Your own recordings")[1]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[0]


def unpacked(archive: Path, project: Project) -> Path:
    """Unpack ESC-10's class folders as a user's own."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(project.root)
        (top,) = {name.split("/")[0] for name in file.namelist()}
    return (project.root / top).rename(project.root / "my-sounds")


def scores_of_the_example(project: Project) -> list[dict[str, str]]:
    (project.root / "my.yaml").write_text(example("yaml"))
    target = example("text").split()[3]
    project.run("--cores", "2", target, config=CONFIG)
    with (project.root / f"results/demo/tables/{target}_random_init.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_example_runs_and_notices_a_changed_file(unfinished: Project) -> None:
    archive = unfinished.root / "esc10.zip"
    splits = {"train": 40, "test": 10}
    write_archives("esc10", {"clips": archive}, classes=5, splits=splits, seed=0)
    sounds = unpacked(archive, unfinished)
    (score,) = scores_of_the_example(unfinished)
    assert (score["tasks"], score["n_eval"], score["status"]) == ("my-sounds", "10", "scaled")
    assert unfinished.planned("mine", config=CONFIG) == {}
    clip = next(sounds.rglob("*.ogg"))
    clip.write_bytes(clip.read_bytes() + b"\0")
    assert unfinished.planned(BANK, config=CONFIG) == {"bank_waveforms": 1}
    clip.unlink()
    unfinished.run("--cores", "1", BANK, config=CONFIG)


def test_the_example_runs_on_real_sounds(unfinished: Project) -> None:
    unpacked(real_archives("esc10")["clips"], unfinished)
    (score,) = scores_of_the_example(unfinished)
    assert (score["tasks"], score["n_eval"], score["n_seeds"]) == ("my-sounds", "80", "1")
    assert -100 < float(score["low"]) <= float(score["gain"]) <= float(score["high"]) < 100


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "folder: my-sounds",
            "folder: nowhere",
            "datasets.my-sounds.folder: nowhere does not exist",
        ),
        ("modality: audio, ", "", "datasets.my-sounds lacks modality"),
        (
            "audio: my-sounds",
            "audio: my-sound",
            "studies.mine.datasets.audio names 'my-sound', which is no audio dataset (did you mean "
            "my-sounds?)",
        ),
    ],
)
def test_a_mistake_is_one_sentence_before_any_job(
    unfinished: Project, before: str, after: str, words: str
) -> None:
    for label in "ab":
        (unfinished.root / "my-sounds" / label).mkdir(parents=True)
        (unfinished.root / "my-sounds" / label / "x.wav").touch()
    (unfinished.root / "my.yaml").write_text(example("yaml").replace(before, after))
    printed = unfinished.run("--dry-run", "mine", config=CONFIG, ok=False)
    assert f"my.yaml: {words}" in printed and "Traceback" not in printed
