"""The tutorial on own data, executed literally: sounds, then images too."""

import csv
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fedssl.data.made_up.media import jpeg, picture, sound, wav
from tests.unit.archives import real_archives
from tests.unit.documents import Document
from tests.workflow.project import Project

PAGE = Document("docs/tutorial/own-data.md")
FILES = PAGE.files()
FIRST_TRY, FULL, BOTH = re.findall(r"^snakemake .*$", PAGE.text, re.MULTILINE)
CONFIG = ("--configfile", "my.yaml", "try.yaml")
BANK = "results/try/banks/my-sounds/bank.json"
OF_THE_PAPERS = re.compile("fssuavl|fassl|fvssl|2402.02889|2504.09516", re.IGNORECASE)
JOBS = {
    **dict.fromkeys(("bank_waveforms", "normalisation", "shards", "pretrain", "evaluate"), 1),
    **dict.fromkeys(("evaluate_random_init", "table", "gains", "communication", "loss_figure"), 1),
    **dict.fromkeys(("shards_figure", "datasets", "certificate", "report_page", "mine"), 1),
    **dict.fromkeys(("cost_figure", "timeline_figure", "examples"), 1),
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with folders of one's own and the files of the section, after its first try."""
    project = Project.copy(tmp_path_factory.mktemp("own") / "project")
    write_folders(project.root)
    for name, content in FILES.items():
        (project.root / name).write_text(content)
    project.shell(FIRST_TRY)
    return project


def write_folders(root: Path, *, classes: int = 4, each: int = 15) -> None:
    rng = np.random.default_rng(0)
    for label in range(classes):
        for folder in (root / f"my-images/{label}", root / f"my-sounds/{label}"):
            folder.mkdir(parents=True)
        for n in range(each):
            clip = sound(rng, label, seconds=1.0, rate=16_000)
            (root / f"my-sounds/{label}/{n}.wav").write_bytes(wav(clip, rate=16_000))
            image = jpeg(picture(rng, label, size=48))
            (root / f"my-images/{label}/{n}.jpg").write_bytes(image)


def rows(project: Project, table: str) -> list[dict[str, str]]:
    with (project.root / f"results/try/tables/{table}.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_page_has_its_files_and_commands() -> None:
    assert list(FILES) == ["my.yaml", "try.yaml", "both.yaml"]
    assert f"{FULL} try.yaml" == FIRST_TRY


def test_the_first_try_ends_with_the_table_of_accuracies(tried: Project) -> None:
    found = rows(tried, "mine_accuracies")
    assert [(row["row"], row["column"]) for row in found] == [
        (row, f"my-sounds {protocol}")
        for row in ("R-18 SimCLR FedAvg", "random init")
        for protocol in ("kNN", "L.P", "R@1")
    ]
    for row in found:
        assert 0 <= float(row["low"]) <= float(row["measured"]) <= float(row["high"]) <= 100
        assert (row["n_eval"], row["published"], row["delta"]) == ("12", "", "")
    (gain,) = rows(tried, "mine_random_init")
    assert (gain["tasks"], gain["n_eval"], gain["status"]) == ("my-sounds", "12", "measured")


def test_the_first_try_ends_with_a_page_and_a_certificate_without_the_papers(
    tried: Project,
) -> None:
    results = tried.root / "results/try"
    promised = re.findall(r"^- `(.*?)`", PAGE.text, re.MULTILINE)
    assert len(promised) == 4
    for file in (*promised, "certificate.md", "tables/datasets.csv"):
        assert (results / file).is_file(), file
    assert not (results / "claims.csv").exists()
    texts = (p for p in results.rglob("*") if p.suffix in (".csv", ".md", ".tex", ".html", ".svg"))
    assert [p for p in texts if OF_THE_PAPERS.search(p.read_text())] == []
    assert [p for p in results.rglob("*") if OF_THE_PAPERS.search(p.name)] == []
    page, certificate = ((results / n).read_text() for n in ("report/index.html", "certificate.md"))
    assert 'id="mine_accuracies"' in page and 'id="claims"' not in page
    assert "**6 of 6 numbers measured" in certificate and "my-sounds" in certificate


def test_the_audit_passes(tried: Project) -> None:
    assert "passed" in tried.shell("fedssl audit results/try").splitlines()


def test_only_the_jobs_of_the_study_are_planned(tried: Project) -> None:
    full = ("--configfile", "my.yaml")
    assert tried.planned("mine", config=full) == JOBS
    files = {rule: count for rule, count in JOBS.items() if rule != "mine"}
    assert tried.planned(config=full) == files
    assert tried.planned("results/mine/report/index.html", config=full) == files
    assert tried.planned("mine", config=CONFIG) == {}


@pytest.mark.slow
def test_damaged_results_are_made_whole_without_naming_the_configuration(tried: Project) -> None:
    results = tried.root / "results/try"
    table = results / "tables/mine_accuracies.csv"
    before = table.read_bytes()
    (score,) = results.glob("evaluate/*/*/*/*/*/*/*/my-sounds/knn.json")
    for path in (table, score):
        path.write_bytes(bytes(path.stat().st_size))
    tried.shell("fedssl repair results/try --run")
    assert table.read_bytes() == before
    assert "passed" in tried.shell("fedssl audit results/try").splitlines()


@pytest.mark.slow
def test_images_and_sounds_and_their_pairs_go_together(tried: Project) -> None:
    tried.shell(BOTH)
    found = rows(tried, "mine_accuracies")
    measured = {(row["row"], row["column"]): row["measured"] for row in found if row["measured"]}
    pairs = {column for _, column in measured if column.startswith("my-pairs")}
    assert pairs == {f"my-pairs {shown}" for shown in _SHOWN}
    assert {row for row, _ in measured} == {"images", "audio", "images+audio", "random init"}
    # An encoder of one modality has no kNN on the other half of a pair.
    assert {c for row, c in measured if row == "images" and c in pairs} == {
        "my-pairs image kNN",
        "my-pairs transfer",
    }
    assert "passed" in tried.shell("fedssl audit results/try").splitlines()


_SHOWN = ("image+audio kNN", "image kNN", "audio kNN", "transfer")


def test_a_changed_file_is_noticed(tried: Project) -> None:
    clip = next(tried.root.glob("my-sounds/*/*.wav"))
    clip.write_bytes(clip.read_bytes() + b"\0")
    assert tried.planned(BANK, config=CONFIG) == {"bank_waveforms": 1}
    clip.unlink()
    tried.run("--cores", "1", BANK, config=CONFIG)


def test_the_example_runs_on_real_sounds(unfinished: Project) -> None:
    with zipfile.ZipFile(real_archives("esc10")["clips"]) as file:
        file.extractall(unfinished.root)
        (top,) = {name.split("/")[0] for name in file.namelist()}
    (unfinished.root / top).rename(unfinished.root / "my-sounds")
    (unfinished.root / "my.yaml").write_text(FILES["my.yaml"])
    config = ("--configfile", "config/demo.yaml", "my.yaml", "tests/workflow/own.yaml")
    table = "results/demo/tables/mine_random_init.csv"
    unfinished.run("--cores", "2", table, config=config)
    with (unfinished.root / table).open() as text:
        (score,) = csv.DictReader(text)
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
        (
            "a100-i0-b0",
            "a0-i0-b100",
            "studies.mine.datasets lacks image, which the split a0-i0-b100 needs; add image: and "
            "the name of a dataset",
        ),
    ],
)
def test_a_mistake_is_one_sentence_before_any_job(
    unfinished: Project, before: str, after: str, words: str
) -> None:
    for label in "ab":
        (unfinished.root / "my-sounds" / label).mkdir(parents=True)
        (unfinished.root / "my-sounds" / label / "x.wav").touch()
    (unfinished.root / "my.yaml").write_text(FILES["my.yaml"].replace(before, after))
    printed = unfinished.run("--dry-run", "mine", config=("--configfile", "my.yaml"), ok=False)
    assert f"my.yaml: {words}" in printed and "Traceback" not in printed
