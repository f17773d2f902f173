"""Two Snakemakes on one cluster whose jobs write to one folder, also as two users."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import SlurmCluster
from tests.slurm.packages import Packages
from tests.slurm.snakemake_run import running, toy_project
from tests.workflow.project import Project

SHARDS = "results/demo/shards/tiny-imagenet/dirichlet-0.5-4/seed0.json"
CONFIG = ("--configfile", "config/demo.yaml", "tests/slurm/grid.yaml", "--config")
# Other users may enter this user's home, where Python and Slurm may be.
OPEN = ("unshare", "--mount", str(Path(__file__).with_name("open_home.sh")))
NOBODY = "65534"
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all",
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter, which those of pytest are not."""
    mask = os.umask(0)  # of users who share a folder: 002 within a group, 0 for all
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
    os.umask(mask)


@pytest.fixture
def open_cluster(slurm_packages: Packages, open_folder: Path) -> Iterator[SlurmCluster]:
    """A cluster for several users."""
    try:
        subprocess.run(
            [*OPEN, *AS_NOBODY, sys.executable, "--version"], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no other user can run this Python here: {error}")
    folder = open_folder / "cluster"
    folder.mkdir()
    with SlurmCluster(folder, slurm_packages, accounting=False, inside=OPEN) as cluster:
        yield cluster


def test_two_runs_that_share_a_folder_write_to_it_one_after_the_other(
    cluster: SlurmCluster, tmp_path: Path
) -> None:
    config = ("--config", f"folder={tmp_path}")
    toys = [toy_project(tmp_path / name, "faults") for name in ("one", "two")]
    with (
        running(cluster, toys[0], "a.leased", options=config) as first,
        running(cluster, toys[1], "a.leased", options=config) as second,
    ):
        first.ends()
        second.ends()
    times = [(toy / "a.leased").read_text() for toy in toys]
    (_, end), (start, _) = sorted([float(t) for t in text.split()] for text in times)
    assert end <= start


def test_two_users_share_a_data_folder(open_cluster: SlurmCluster, open_folder: Path) -> None:
    projects = [Project.copy(open_folder / name).root for name in ("one", "two")]
    subprocess.run(["chown", "-R", NOBODY, projects[1]], check=True)
    (open_folder / "data").mkdir()
    options = (*CONFIG, f"data_dir={open_folder}/data")
    other = (*OPEN, *AS_NOBODY)
    with (
        running(open_cluster, projects[0], SHARDS, options=options) as first,
        running(open_cluster, projects[1], SHARDS, options=options, inside=other) as second,
    ):
        first.ends()
        second.ends()
    shards, others = ((project / SHARDS).read_bytes() for project in projects)
    assert shards == others
    jobs = {(job["UserId"], job["JobName"]) for job in open_cluster.scontrol()}
    assert len(jobs) == 4, "an archive and a bank for each, and shards where Snakemake runs"


def test_a_second_user_is_told_who_has_the_results(
    open_cluster: SlurmCluster, open_folder: Path
) -> None:
    projects = [Project.copy(open_folder / name).root for name in ("one", "two")]
    subprocess.run(["chown", "-R", NOBODY, projects[1]], check=True)
    (open_folder / "results").mkdir()
    options = (*CONFIG, f"results_dir={open_folder}/results")
    target = SHARDS.replace("results/demo", f"{open_folder}/results")
    other = (*OPEN, *AS_NOBODY)
    with running(open_cluster, projects[0], target, options=options) as first:
        first.says("submitted as Slurm job")
        owner = first.pid
        with running(open_cluster, projects[1], target, options=options, inside=other) as second:
            refused = second.ends(ok=False)
        first.ends()
    assert f"{open_folder}/results is being written by process {owner} of root" in refused
    assert "submitted as" not in refused and "Traceback" not in refused
