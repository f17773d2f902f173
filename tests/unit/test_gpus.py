"""Each GPU of a machine is used by one job at a time. The GPUs are only names here."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fedssl import gpus
from fedssl.gpus import reserved_gpus, visible_gpus

JOB = """
import sys, time
from pathlib import Path
from fedssl.gpus import reserved_gpus

with reserved_gpus(int(sys.argv[1])) as chosen:
    folder = Path(sys.argv[2])
    for gpu in chosen:
        (folder / gpu).touch(exist_ok=False)  # fails if another job uses it
    time.sleep(0.3)
    for gpu in chosen:
        (folder / gpu).unlink()
    print(",".join(chosen))
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with four GPUs and a folder of its own for locks."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(gpus.tempfile, "tempdir", None)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    return tmp_path


def test_jobs_share_no_gpu_and_wait_for_a_free_one(machine: Path) -> None:
    used = machine / "used"
    used.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(JOB)]
    jobs = [
        subprocess.Popen([*command, count, str(used)], stdout=subprocess.PIPE, text=True)
        for count in ("1", "1", "2", "1", "1", "2")
    ]
    chosen = [job.communicate()[0].strip() for job in jobs]
    assert [job.returncode for job in jobs] == [0] * 6
    assert [len(ids.split(",")) for ids in chosen] == [1, 1, 2, 1, 1, 2]


def test_a_job_sees_its_gpu_and_no_other() -> None:
    with reserved_gpus(1) as first, reserved_gpus(0) as none:
        assert (first, none, os.environ["CUDA_VISIBLE_DEVICES"]) == (["0"], [], "")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"


def test_a_killed_job_leaves_its_gpu_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7")
    text = "import os, signal\nfrom fedssl.gpus import reserved_gpus\n"
    text += "with reserved_gpus(1): os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", text], check=False)
    with reserved_gpus(1) as chosen:
        assert chosen == ["GPU-7"]


def test_inside_a_slurm_job_the_first_gpu_is_not_the_nodes_first(monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    with reserved_gpus(1):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        monkeypatch.setenv("SLURM_JOB_ID", "2")
        with reserved_gpus(1) as chosen:
            assert chosen == ["0"]


@pytest.mark.parametrize(
    ("listed", "status", "found"),
    [("GPU 0: A100 (UUID: GPU-a)\\nGPU 1: A100 (UUID: GPU-b)", 0, ["0", "1"]),
     ("NVIDIA-SMI has failed", 9, []), ("", 0, [])],
)  # fmt: skip
def test_without_a_choice_the_driver_is_asked(
    machine: Path, monkeypatch: pytest.MonkeyPatch, listed: str, status: int, found: list[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    program = machine / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{listed}\\n'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{machine}:/usr/bin:/bin")
    assert visible_gpus() == found
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == []
