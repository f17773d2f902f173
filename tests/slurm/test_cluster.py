"""The test cluster ends with the test that started it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import SlurmCluster
from tests.slurm.packages import Packages

HOLDER = """
import sys, time
from pathlib import Path
from tests.slurm.cluster import SlurmCluster
from tests.slurm.packages import Packages

with SlurmCluster(Path(sys.argv[1]), Packages(Path(sys.argv[2])), accounting=False) as cluster:
    cluster.command("sbatch", "--output=/dev/null", "--wrap", sys.argv[3])
    time.sleep(600)
"""


def stubborn_job(folder: Path) -> str:
    """A job with a process that leaves its session and ignores requests to end."""
    return f"setsid sh -c 'trap \"\" TERM; echo $$ > {folder}/job.pid; sleep 600' & sleep 600"


def pids(folder: Path) -> list[int]:
    """Return the ids of the daemons and of the job's process, once all have written theirs."""
    names = ("munge", "slurmctld", "node1", "node2", "job")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        texts = [f.read_text() for name in names if (f := folder / f"{name}.pid").is_file()]
        if len(texts) == len(names) and all(texts):
            return [int(text) for text in texts]
        time.sleep(0.1)
    raise TimeoutError(f"not all of {names} wrote their process id into {folder}")


def running(processes: list[int]) -> list[int]:
    return [pid for pid in processes if Path(f"/proc/{pid}").exists()]


def test_nothing_outlives_an_interrupted_test(slurm_packages: Packages, tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        SlurmCluster(tmp_path, slurm_packages, accounting=False) as cluster,
    ):
        cluster.command("sbatch", "--output=/dev/null", "--wrap", stubborn_job(tmp_path))
        processes = pids(tmp_path)
        assert running(processes) == processes
        raise KeyboardInterrupt
    assert running(processes) == []


def test_nothing_outlives_a_killed_test(slurm_packages: Packages, tmp_path: Path) -> None:
    words = [str(tmp_path), str(slurm_packages.root), stubborn_job(tmp_path)]
    root = Path(__file__).parents[2]
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, *words], cwd=root)
    try:
        processes = pids(tmp_path)
    finally:
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 60
    while running(processes) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(processes) == []
