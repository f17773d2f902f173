"""What the profile and the rules ask Slurm for, by the command lines that its plugin gives sbatch.

The commands of Slurm are stand-ins: `sbatch` notes its arguments, and `squeue` says that every job
has ended early, so that each is tried three times.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
import yaml

from fedssl.command.project import open_project
from fedssl.data.banks.bank import FILES
from fedssl.files import write_json
from fedssl.grid.cell import Cell
from tests.workflow.project import ROOT, Project

# Several are called at once: each waits for its turn to write.
SBATCH = """#!/bin/sh
exec 9> "$0.lock"
flock 9
printf '%s\\037' "$@" >> "$0.calls"
printf '\\036' >> "$0.calls"
echo $$ | tee -a "$0.numbers"
"""
SQUEUE = """#!/bin/sh
sed "s/\\$/|$END|reason|folder|comment/" "${0%squeue}sbatch.numbers" 2> /dev/null
exit 0
"""
QUICK = ("--slurm-init-seconds-before-status-checks", "1")
RULES = ("pretrain", "evaluate", "score_rounds", "fine_tune")
GRID = """
limits: {runtime: 100, mem_mb: 9000, gpu_mem: null}
settings: {threads: 2, federation: {kept_rounds: [0, 1]}}
studies:
  fssuavl:
    tasks: [{task: cifar10, split: test}, {task: tiny-imagenet, split: validation}]
    pairs: []
    cells: [{method: [simclr], arch: [resnet18], aggregator: [fedavg, loss],
             split: [a0-i100-b0], variant: [base]}]
  fassl: {cells: []}
"""
UNGROUPED = ("bank_images", "bank_waveforms", "normalisation", "pretrain", "pretrain_centralised")
CHANGED = (
    ("pretrain", "runtime=90"),
    ("pretrain", "gpu=2"),
    ("evaluate", "mem_mb=7777"),
    ("evaluate", "constraint=quick"),
    ("evaluate", "qos=night"),
    ("score_rounds", "slurm_partition=long"),
    ("score_rounds", "gpu_model=a100"),
)
CELL = "fssuavl/simclr/resnet18/{}/a0-i100-b0/base/seed0"
SCORES = f"results/demo/evaluate/{CELL.format('fedavg')}"
TARGETS = (
    f"results/demo/pretrain/{CELL.format('loss')}/model.safetensors",
    *(f"{SCORES}/{task}/knn.json" for task in ("cifar10", "tiny-imagenet")),
    *(f"{SCORES}/{task}/rounds.csv" for task in ("cifar10", "tiny-imagenet")),
    f"{SCORES}/cifar10/fine-tune.json",
)
MADE = (
    *(
        f"banks/{dataset}/{name}"
        for dataset in ("tiny-imagenet", "cifar10")
        for name in ("bank.json", *FILES["image"])
    ),
    "shards/tiny-imagenet/dirichlet-0.5-4/seed0.json",
    f"pretrain/{CELL.format('fedavg')}/model.safetensors",
    f"pretrain/{CELL.format('fedavg')}/milestones/round0.safetensors",
    *(
        f"evaluate/fssuavl/random-init/resnet18/base/seed0/{task}/retrieval.{kind}"
        for task, kind in product(("cifar10", "tiny-imagenet"), ("json", "parquet"))
    ),
)


@dataclass(frozen=True)
class Cluster:
    """A project in which all that the targets read is there, and a Slurm that refuses jobs."""

    project: Project
    bin: Path

    def calls(self, *options: str, end: str = "FAILED") -> dict[str, list[dict[str, str]]]:
        """Return what sbatch was told in each attempt, by the rules of the job."""
        log = self.bin / "sbatch.calls"
        log.unlink(missing_ok=True)
        config = ("--configfile", "config/demo.yaml", "grid.yaml")
        command = ["snakemake", "--profile", "slurm", *config, *options]
        command += [*QUICK, "--allowed-rules", *RULES, "--", *TARGETS]
        path = f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        env |= {"PATH": path, "SBATCH_PARTITION": "main", "SBATCH_ACCOUNT": "lab", "END": end}
        ran = subprocess.run(
            command, cwd=self.project.root, env=env, capture_output=True, text=True
        )
        assert log.is_file(), ran.stdout + ran.stderr
        found: dict[str, list[dict[str, str]]] = {}
        for call in log.read_text().split("\036")[:-1]:
            given = options_of(call.split("\037")[:-1])
            found.setdefault(rule_of(given["--job-name"]), []).append(given)
        return found


def options_of(words: list[str]) -> dict[str, str]:
    """Return option -> value of a command line, in either of their forms."""
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            found[name] = value if equals else following
    return found


def rule_of(name: str) -> str:
    return next(rule for rule in RULES if name.startswith(rule))


def _record_pretraining(project: Project) -> None:
    """Write the record of the model that is there: without it, its job would run again."""
    cell = Cell.parse(CELL.format("fedavg"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        settings = open_project(["config/demo.yaml", "grid.yaml"]).grid.settings(cell)
    empty: dict[str, dict[str, str]] = {"inputs": {}, "outputs": {}, "sources": {}}
    folder = project.root / "results/demo/pretrain" / CELL.format("fedavg")
    write_json(folder / "provenance.json", {**empty, "settings": settings})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = tmp_path_factory.mktemp("cluster")
    project = Project.copy(folder / "project")
    (project.root / "grid.yaml").write_text(GRID)
    for name in MADE:
        path = project.root / "results/demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    _record_pretraining(project)
    programs = {"sbatch": SBATCH, "squeue": SQUEUE, "sacctmgr": "#!/bin/sh\necho lab\n"}
    programs |= dict.fromkeys(("sacct", "sinfo", "scontrol"), "#!/bin/sh\n")
    (folder / "bin").mkdir()
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return Cluster(project, folder / "bin")


@pytest.fixture(scope="module")
def calls(cluster: Cluster) -> dict[str, list[dict[str, str]]]:
    """One resource of three rules is changed on the command line, and none of `fine_tune`."""
    return cluster.calls("--set-resources", *(f"{rule}:{value}" for rule, value in CHANGED))


def asked(calls: list[dict[str, str]], *options: str) -> list[tuple[str | None, ...]]:
    """Return the values of some options in the attempts of a job."""
    return [tuple(call.get(option) for option in options) for call in calls]


def test_an_override_of_one_resource_leaves_the_others(calls) -> None:
    options = ("-t", "--gpus", "--cpus-per-task", "-p")
    # Two GPUs of one node, with two cores each.
    assert asked(calls["pretrain"], *options)[0] == ("90", "2", "4", "main")
    assert asked(calls["pretrain"], "--nodes") == [("1",)] * 3
    # Two tasks, which take turns: cores and memory of one, time of both.
    assert asked(calls["evaluate"], *options)[0] == ("60", None, "1", "main")
    assert asked(calls["score_rounds"], *options)[0] == ("60", "a100:1", "1", "long")
    assert asked(calls["fine_tune"], *options)[0] == ("30", "1", "1", "main")
    assert {rule: 3000 <= int(calls[rule][0]["--mem"]) < 7777 for rule in RULES} == {
        "pretrain": False,  # three processes: two train, and one adds up what they send
        "evaluate": False,
        "score_rounds": True,
        "fine_tune": True,
    }
    changed = ("7777", "quick", "night")
    assert asked(calls["evaluate"], "--mem", "-C", "--qos") == [changed] * 3


def test_only_jobs_that_start_again_ask_for_more_and_within_the_limits(calls) -> None:
    assert asked(calls["pretrain"], "-t", "--mem") == [("90", calls["pretrain"][0]["--mem"])] * 3
    assert asked(calls["score_rounds"], "-t") == [("60",)] * 3
    assert asked(calls["fine_tune"], "-t") == [("30",)] * 3
    # The sum over the group; each member has a share of the limit.
    assert asked(calls["evaluate"], "-t") == [("60",), ("100",), ("100",)]
    memory = [int(call["--mem"]) for call in calls["fine_tune"]]
    assert memory == sorted(memory) and memory[0] < memory[-1] == 9000


def test_slurm_restarts_no_job_and_names_say_what_each_is(calls) -> None:
    for call in (call for attempts in calls.values() for call in attempts):
        assert "--no-requeue" in call and call["-A"] == "lab"
    assert "fssuavl_simclr_resnet18_loss" in calls["pretrain"][0]["--job-name"]


def test_the_profile_leaves_what_a_rule_asks_for_to_the_rule(cluster: Cluster) -> None:
    profile = yaml.safe_load((cluster.project.root / "slurm/config.yaml").read_text())
    assert not {"set-resources", "set-threads", "resources"} & profile.keys()


def test_a_job_that_memory_killed_on_its_start_asks_for_more(cluster: Cluster) -> None:
    limits = ("--config", "limits={runtime: 100, mem_mb: 30000, gpu_mem: null}")
    calls = cluster.calls(*limits, end="OUT_OF_MEMORY")["pretrain"]
    first, second, third = (int(call["--mem"]) for call in calls)
    assert first < second < third <= 30000
    assert asked(calls, "-t") == [(calls[0]["-t"],)] * 3


@pytest.mark.slow
def test_the_whole_grid_takes_about_600_jobs_of_slurm(unfinished: Project) -> None:
    printed = unfinished.run("--profile", "slurm", "--dry-run", config=())
    groups = len(re.findall(r"\] Group job ", printed))
    single = re.findall(r"^rule (\w+):$", printed, re.MULTILINE)
    submitted = groups + sum(rule in UNGROUPED for rule in single)
    assert submitted <= 600
    assert len(re.findall(r"^ {4}rule (\w+):$", printed, re.MULTILINE)) > 1500, "all are planned"
    found = re.search(r"takes (\d+) `sbatch` calls", (ROOT / "docs/slurm.md").read_text())
    assert found is not None and int(found[1]) == submitted
