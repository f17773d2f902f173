"""The GPUs of this machine. One job at a time uses a GPU; a job can use several."""

import contextlib
import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

GPU_CORES = 2
"""CPU cores of a process that computes on a GPU: one launches a step, one draws the next steps."""

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_PAUSE_SECONDS = 0.5
_log = logging.getLogger(__name__)


def visible_gpus() -> list[str]:
    """Return the ids of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    # Not by torch, which takes seconds to import, and fixes the choice when it first looks.
    if (given := os.environ.get(_VISIBLE)) is not None:
        return [gpu for gpu in map(str.strip, given.split(",")) if gpu not in ("", "-1")]
    if (program := shutil.which("nvidia-smi")) is None:
        return []
    ran = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, check=False)
    found = [line for line in ran.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(found))] if ran.returncode == 0 else []


def use_only(gpu: str) -> None:
    """Hide all other GPUs from this process; call this before CUDA is used, as it looks once."""
    os.environ[_VISIBLE] = gpu


@contextlib.contextmanager
def reserved_gpus(count: int) -> Iterator[list[str]]:
    """Reserve GPUs for this process and hide the others from it; yields the reserved ids.

    If too few are free, wait for other jobs to end. A job that asks for none sees none. On a
    machine without GPUs nothing is reserved. Call this before CUDA is used: it looks only once.
    """
    gpus = visible_gpus() if count else []
    with _locked(gpus, min(count, len(gpus))) as chosen, _visible(chosen):
        yield chosen


@contextlib.contextmanager
def _visible(gpus: Sequence[str]) -> Iterator[None]:
    before = os.environ.get(_VISIBLE)
    os.environ[_VISIBLE] = ",".join(gpus)
    try:
        yield
    finally:
        del os.environ[_VISIBLE]
        if before is not None:
            os.environ[_VISIBLE] = before


@contextlib.contextmanager
def _locked(gpus: Sequence[str], count: int) -> Iterator[list[str]]:
    """Lock `count` of the GPUs. The kernel releases the locks of a process that ends."""
    attempts = 0
    while True:
        with ExitStack() as locks:
            chosen = _lock_free(gpus, count, locks)
            if len(chosen) == count:
                yield chosen
                return
        # The others were released: two jobs that each keep one GPU of two would wait for ever.
        if attempts == 0:
            _log.info("%d of %d GPUs are free; waiting for other jobs", len(chosen), len(gpus))
        attempts += 1
        time.sleep(_PAUSE_SECONDS)


def _lock_free(gpus: Sequence[str], count: int, locks: ExitStack) -> list[str]:
    """Lock up to `count` free GPUs, until `locks` closes; return their ids."""
    folder = _folder()
    chosen: list[str] = []
    for gpu in gpus:
        if len(chosen) == count:
            break
        with ExitStack() as attempt:
            file = attempt.enter_context((folder / gpu.replace("/", "-")).open("w"))
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                chosen.append(gpu)
                locks.push(attempt.pop_all())
    return chosen


def _folder() -> Path:
    """Return the folder of this user's locks on this node."""
    # Inside a Slurm job, the number 0 is the job's first GPU and not the node's.
    job = os.environ.get("SLURM_JOB_ID", "")
    name = f"fedssl-gpus-{os.getuid()}{job and f'-job{job}'}"
    folder = Path(tempfile.gettempdir(), name)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
