"""The command that makes damaged files again: the jobs that it forces, and its targets."""

from pathlib import Path

import pytest

from fedssl.command.dry_run import PlannedJob
from fedssl.command.remake import Remake, remake
from fedssl.record.damage import Damage

R = "results/x"
# rule -> what it reads, what it writes
RULES = {
    "bank": ([f"{R}/archives/a.zip"], [f"{R}/bank.json", f"{R}/labels.npy"]),
    "shards": ([f"{R}/bank.json"], [f"{R}/shards.json"]),
    "pretrain": ([f"{R}/shards.json"], [f"{R}/model", f"{R}/milestones"]),
    "other": ([f"{R}/shards.json"], [f"{R}/other/model"]),
    "evaluate": ([f"{R}/model", f"{R}/bank.json"], [f"{R}/knn.json"]),
    "table": ([f"{R}/knn.json"], [f"{R}/table.csv"]),
    "all": ([f"{R}/table.csv"], []),
}
JOBS = [
    PlannedJob(rule, {}, tuple(out), "", (), tuple(read)) for rule, (read, out) in RULES.items()
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which all of these jobs have finished but `other`."""
    monkeypatch.chdir(tmp_path)
    for job in JOBS:
        for name in job.outputs if job.rule != "other" else ():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()
    return tmp_path / R


def made(root: Path, *names: str, jobs: list[PlannedJob] = JOBS) -> Remake:
    return remake([Damage(root / n, "is empty") for n in names], jobs, root=root, results=R)


def test_a_damaged_file_takes_with_it_what_depends_on_it_and_no_more(run: Path) -> None:
    found = made(run, "model")
    assert found.forced == (f"{R}/model",) and found.targets == (f"{R}/table.csv",)
    assert found.jobs == {"pretrain": 1, "evaluate": 1, "table": 1}


def test_a_job_is_forced_once_and_by_a_file_in_its_folder(run: Path) -> None:
    found = made(run, "labels.npy", "bank.json", "milestones/round1.safetensors")
    assert found.forced == (f"{R}/bank.json", f"{R}/model")


def test_what_never_ran_is_not_made(run: Path) -> None:
    assert "other" not in made(run, "shards.json").jobs


def test_a_run_that_ended_early_is_not_carried_on(run: Path) -> None:
    (run / "table.csv").unlink()
    assert made(run, "model").targets == (f"{R}/knn.json",)


def test_what_no_job_makes_is_said(run: Path) -> None:
    fetched = Damage(run / "bank.json", "is empty", fetched=True)
    found = remake([fetched], JOBS, root=run, results=R)
    assert found.lost == (fetched,) and not found.forced
    assert [damage.path for damage in made(run, "notes.txt").lost] == [run / "notes.txt"]


def test_the_command_has_its_targets_after_its_options(run: Path) -> None:
    words = made(run, "model").command(["--cores", "all"], ["a.yaml", "b.yaml"], ["seeds=[0]"])
    assert " ".join(words) == (
        "snakemake --cores all --configfile a.yaml b.yaml --config seeds=[0] --rerun-incomplete "
        f"--forcerun {R}/model -- {R}/table.csv"
    )


def test_snakemakes_mark_of_an_updated_file_is_no_part_of_its_name(run: Path) -> None:
    jobs = [PlannedJob("acquire", {}, (f"{R}/archives/a.zip (update)",), ""), *JOBS]
    assert made(run, "archives/a.zip", jobs=jobs).forced == (f"{R}/archives/a.zip",)
