"""Snakemake as a user of the cluster types it."""

import shutil
import subprocess
from pathlib import Path

from slurm.cluster import SlurmCluster
from slurm.supervise import supervised

PROJECT = Path(__file__).parents[2]
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
    (folder / "slurm").symlink_to(PROJECT / "slurm")
    return folder


def copied_project(folder: Path) -> Path:
    """Return a copy of this project as a fresh clone of the working tree would be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listing.stdout.split("\0")):
        if (PROJECT / name).is_file():  # a deleted file is still listed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    return folder
