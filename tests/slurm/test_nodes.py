"""Nodes that fail, reboot or are drained, under a run of the shipped profile on a real cluster."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import SlurmCluster
from tests.slurm.snakemake_run import running

_STARTING = 25  # seconds in which Slurm expects a job on its node, and does not miss it


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder without room on every node."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this user cannot mount a file system")
    (folder / "file").write_bytes(bytes(4096))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_temporary_folder_fails_no_job(cluster: SlurmCluster, toy: Path, full: Path) -> None:
    given = {name: str(full) for name in ("TMPDIR", "TMP", "TEMP")}
    options = ("--config", f"folder={toy}", "--retries", "0", "--scheduler", "greedy")
    with running(cluster, toy, "a.leased", options=options, **given) as snakemake:
        snakemake.ends()


def test_a_job_goes_on_elsewhere_when_its_node_fails(cluster: SlurmCluster, toy: Path) -> None:
    options = ("--retries", "0")
    with running(cluster, toy, "a.after", options=options, SBATCH_PARTITION="both") as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
        node = cluster.command("squeue", "--noheader", "--format=%N").strip()
        with cluster.without(node):
            cluster.command("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
            snakemake.says("lost its node")
            snakemake.wait_for(lambda: len(snakemake.jobs("a")) == 2, "the job on the other node")
            snakemake.allow("a")
            snakemake.ends()
    assert len(snakemake.jobs("a")) == 3, "the job itself twice, and once the job after it"


def test_a_drained_node_keeps_its_job_and_gets_no_other(cluster: SlurmCluster, toy: Path) -> None:
    options = ("--retries", "0")
    with running(cluster, toy, "a.after", options=options, SBATCH_PARTITION="both") as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
        node = cluster.command("squeue", "--noheader", "--format=%N").strip()
        cluster.command("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
        try:
            snakemake.allow("a")
            snakemake.ends()
        finally:
            cluster.command("scontrol", "update", f"nodename={node}", "state=resume")
    nodes = {job["JobID"]: job["NodeList"] for job in cluster.sacct("JobID", "NodeList")}
    first, after = snakemake.jobs("a")
    assert (nodes[first], nodes[after] != node) == (node, True)


@pytest.mark.slow
@pytest.mark.parametrize("reboots", [False, True])
def test_a_job_is_submitted_again_when_its_node_comes_back_without_it(
    cluster: SlurmCluster, toy: Path, reboots: bool
) -> None:
    options = ("--retries", "0")
    with running(cluster, toy, "a.after", options=options) as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
        time.sleep(_STARTING)
        with cluster.without("node1", reboots=reboots):
            pass
        snakemake.says("lost its node")
        snakemake.wait_for(lambda: len(snakemake.jobs("a")) == 2, "the job after the restart")
        snakemake.allow("a")
        snakemake.ends()
    assert len(snakemake.jobs("a")) == 3, "the job itself twice, and once the job after it"
