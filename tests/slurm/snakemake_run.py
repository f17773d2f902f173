"""Snakemake as a user of the cluster types it."""

import shutil
from pathlib import Path

from tests.slurm.cluster import SlurmCluster
from tests.slurm.supervise import supervised
from tests.workflow.project import ROOT

LIMIT_SECONDS = 1800


def run(cluster: SlurmCluster, folder: Path, command: str, **variables: str) -> str:
    """Run a command line in `folder`; return what it printed, or raise with it if it failed."""
    log = folder.with_suffix(".out")
    env = cluster.env | variables
    with supervised(command.split(), env=env, log=log, cwd=folder) as process:
        status = process.wait(LIMIT_SECONDS)
    output = log.read_text(errors="replace")
    if status != 0:
        raise RuntimeError(f"{command} ended with status {status}:\n{output}")
    return output


def toy_project(folder: Path) -> Path:
    """Return a folder with two quick jobs and the shipped profile."""
    shutil.copytree(Path(__file__).parent / "toy", folder)
    (folder / "slurm").symlink_to(ROOT / "slurm")
    return folder
