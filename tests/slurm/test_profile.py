"""`snakemake --profile slurm` on a real Slurm."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.slurm.cluster import SlurmCluster
from tests.slurm.snakemake_run import run, toy_project
from tests.workflow.project import ROOT, Project

GRID = ("config/demo.yaml", "tests/slurm/grid.yaml")
COMMAND = ("snakemake", "--profile", "slurm", "--configfile", *GRID, "--")
SHARDS = "results/demo/shards/tiny-imagenet/dirichlet-0.5-4/seed0.json"
TABLES = ("fssuavl_table2", "fssuavl_random_init")


def jobs_in(cluster: SlurmCluster, folder: Path, *fields: str) -> list[dict[str, str]]:
    """Return the jobs submitted from `folder`, in the order of their submission."""
    jobs = cluster.sacct("JobIDRaw", "JobName", "WorkDir", "State", *fields)
    return [job for job in jobs if job["WorkDir"] == str(folder)]


def is_of(job: dict[str, str], rule: str) -> bool:
    # The name is "<rule>_<wildcards>" or, for a group, "<its rules>_<group>"; the study comes next.
    return re.fullmatch(rf"{rule}(_fssuavl.*)?", job["JobName"]) is not None


@dataclass(frozen=True)
class Demo:
    """What the demo left behind."""

    project: Path
    printed: str
    done: Counter[str]  # finished Snakemake jobs of each rule
    jobs: list[dict[str, str]]  # Slurm's jobs

    def of(self, rule: str) -> list[dict[str, str]]:
        return [job for job in self.jobs if is_of(job, rule)]


@pytest.fixture(scope="module")
def demo(accounting_cluster: SlurmCluster, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Two tables on Slurm: every kind of job that the profile names and one cell can need."""
    project = Project.copy(tmp_path_factory.mktemp("demo") / "project")
    # Banks are made on Slurm from the other archive; each job there starts Snakemake twice.
    project.run("--cores", "2", SHARDS, config=("--configfile", *GRID))
    printed = run(accounting_cluster, project.root, " ".join((*COMMAND, *TABLES)))
    finished = re.findall(r"^Finished jobid: .* \(Rule: (.*)\)$", project.logged(), re.MULTILINE)
    jobs = jobs_in(accounting_cluster, project.root, "AllocTRES", "ReqTRES")
    return Demo(project.root, printed, Counter(finished), jobs)


def test_demo_ends_with_its_tables(demo: Demo) -> None:
    assert {job["State"] for job in demo.jobs} == {"COMPLETED"}
    for table in TABLES:
        assert (demo.project / f"results/demo/tables/{table}.csv").is_file()


def test_each_job_is_told_once_when_it_is_submitted_and_once_when_it_ends(demo: Demo) -> None:
    submitted = re.findall(r"^submitted as Slurm job (\d+): .*resnet18", demo.printed, re.MULTILINE)
    assert submitted and set(submitted) <= {job["JobIDRaw"] for job in demo.jobs}
    told = re.findall(
        r"^\[\d+/(\d+)\] .* (?:s|min)(?:; about .* left)?$", demo.printed, re.MULTILINE
    )
    ended = sum(count for rule, count in demo.done.items() if rule not in TABLES)
    assert told == [str(ended)] * ended
    assert "; about " in demo.printed


@pytest.mark.slow
def test_all_that_the_demo_makes_is_made_on_slurm(
    demo: Demo, accounting_cluster: SlurmCluster
) -> None:
    run(accounting_cluster, demo.project, " ".join(COMMAND))
    jobs = jobs_in(accounting_cluster, demo.project)
    assert {job["State"] for job in jobs} == {"COMPLETED"}
    assert (demo.project / "results/demo/report/index.html").is_file()


def test_training_is_given_a_gpu_and_nothing_else_is(demo: Demo) -> None:
    with_gpu = [job for job in demo.jobs if "gres/gpu" in job["AllocTRES"]]
    assert len(demo.of("pretrain")) == demo.done["pretrain"] > 0
    rules = ("pretrain", "fine_tune", "fine_tune_random_init")
    assert all(demo.done[rule] for rule in rules)
    assert with_gpu == [job for job in demo.jobs if any(is_of(job, rule) for rule in rules)]
    assert all("gres/gpu=1" in job["AllocTRES"].split(",") for job in with_gpu)


def test_a_job_has_the_cores_of_its_rule_and_memory_within_the_limits(demo: Demo) -> None:
    for job in demo.of("pretrain"):
        asked = dict(part.split("=", 1) for part in job["ReqTRES"].split(","))
        assert asked["cpu"] == "2" and int(asked["mem"].removesuffix("M")) <= 64000


def test_jobs_of_seconds_run_where_snakemake_runs(demo: Demo) -> None:
    assert demo.done["table"] and not demo.of("table")


def test_scores_of_a_checkpoint_share_a_job(demo: Demo) -> None:
    scoring = demo.of("evaluate")
    assert len(scoring) < demo.done["evaluate"]
    # The name has the checkpoint, so no job waits for two of them.
    assert len({job["JobName"] for job in scoring}) == demo.done["pretrain"]
    assert 0 < len(demo.of("fine_tune")) < demo.done["fine_tune"]
    # Members take turns: the job has the CPUs of one of them.
    for job in (*scoring, *demo.of("fine_tune")):
        assert "cpu=1" in job["ReqTRES"].split(",")


def test_profile_names_rules_of_the_workflow() -> None:
    snakemake = Path(sys.executable).with_name("snakemake")
    listing = subprocess.run(
        [snakemake, "--list-rules"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    profile = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    assert set(profile["groups"]) <= set(listing.stdout.split())


def test_environment_chooses_partition_and_account_and_retries_ask_for_more(
    accounting_cluster: SlurmCluster, tmp_path: Path
) -> None:
    toy = toy_project(tmp_path / "toy")
    command = "snakemake --profile slurm"
    run(accounting_cluster, toy, command, SBATCH_PARTITION="long", SBATCH_ACCOUNT="other")
    fields = ("Partition", "Account", "TimelimitRaw", "ReqTRES")
    shards, *attempts = jobs_in(accounting_cluster, toy, *fields)
    assert is_of(shards, "shards")
    for job in (shards, *attempts):
        assert (job["Partition"], job["Account"]) == ("long", "other")
    assert [job["State"] for job in attempts] == ["FAILED", "COMPLETED"]
    assert [job["TimelimitRaw"] for job in attempts] == ["720", "1440"]
    memory = [re.findall("mem=[^,]*", job["ReqTRES"]) for job in attempts]
    assert memory == [["mem=32000M"], ["mem=64000M"]]
    # Only the log of the failed attempt is kept.
    logs = (toy / ".snakemake/slurm_logs").rglob("*.log")
    assert [log.stem for log in logs] == [attempts[0]["JobIDRaw"]]


def test_cluster_without_accounting(small_cluster: SlurmCluster, tmp_path: Path) -> None:
    toy = toy_project(tmp_path / "toy")
    (toy / "tried").mkdir()
    run(small_cluster, toy, "snakemake --profile slurm")
    given = {job["JobName"]: job.get("TresPerJob") for job in small_cluster.scontrol()}
    assert given == {"shards": None, "pretrain": "gres:gpu:1"}
    assert (toy / "shards.txt").read_text().split() == ["GPU"]
    assert (toy / "model.txt").read_text().split()[1] in {"0", "1"}
