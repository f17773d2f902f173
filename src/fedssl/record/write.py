"""Write the provenance record of a job. The record carries its own digest."""

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fedssl.files import digest, sha256, write_json
from fedssl.portable import limits
from fedssl.record.inputs import files_of
from fedssl.record.sources import code_digest

_PACKAGES = (
    "jinja2",
    "numpy",
    "pandas",
    "pillow",
    "pytorch-lightning",
    "scikit-learn",
    "scipy",
    "snakemake",
    "soundfile",
    "torch",
    "torchaudio",
    "torchvision",
)


def code_facts(sources: Sequence[Path]) -> dict[str, Any]:
    """Return the commit, and two digests of each source file, for a record.

    `sources` has the SHA-256 of each file. `code` has the digest of its syntax tree, which does not
    change with comments.
    """
    root = Path(__file__).parents[3]
    return {
        "sources": {_relative(file, root): sha256(file) for file in sources},
        "code": {_relative(file, root): code_digest(file) for file in sources},
        "git": _git(root),
    }


def write_provenance(
    path: str | Path,
    *,
    rule: str,
    wildcards: Mapping[str, str],
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    outputs: Iterable[str],
    code: Mapping[str, Any],
    started: datetime,
    earlier_seconds: float = 0.0,
    facts: Mapping[str, Any],
) -> None:
    """Write the record of a finished job; its entry `digest` is the SHA-256 of all other entries.

    `inputs` are files with their SHA-256, see `Inputs`. All files in a folder among the outputs are
    recorded. `code` is the result of `code_facts` at the start of the job. `seconds` includes the
    `earlier_seconds` of attempts before `started`.
    """
    ended = datetime.now(UTC)
    written = files_of(outputs)
    record = {
        "rule": rule,
        "wildcards": dict(wildcards),
        "settings": dict(settings),
        "inputs": dict(inputs),
        "outputs": {file: sha256(file) for file in written},
        # A quick look finds a file that was cut off without hashing it.
        "sizes": {file: Path(file).stat().st_size for file in written},
        **code,
        "packages": _versions(),
        "python": platform.python_version(),
        "hardware": hardware(),
        "started": started.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round(earlier_seconds + (ended - started).total_seconds(), 3),
        "peak_memory_mb": _peak_memory_mb(),
        **facts,
    }
    write_json(path, record | {"digest": digest(record)})


def _relative(file: Path, root: Path) -> str:
    resolved, root = file.resolve(), root.resolve()
    return str(resolved.relative_to(root) if resolved.is_relative_to(root) else resolved)


def _git(root: Path) -> dict[str, Any]:
    """Return the commit and whether it has uncommitted changes; None outside a git checkout."""
    try:
        commit = _run_git(root, "rev-parse", "HEAD")
        dirty = bool(_run_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": dirty}


def _run_git(root: Path, *arguments: str) -> str:
    # Jobs in parallel would otherwise compete for the lock of git's index.
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def hardware() -> dict[str, Any]:
    """Return this machine's name, CPU and GPU, and what torch uses of them; None without torch.

    `gpus` counts the GPUs of the job, and `torch_threads` are those of each of its processes.
    """
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.processor() or "unknown",
    )
    torch = sys.modules.get("torch")
    return {
        "host": platform.node(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "gpu": gpu_name(),
        "gpus": torch.cuda.device_count() if torch else None,
        "instructions": _instructions(),
        "torch_threads": torch.get_num_threads() if torch else None,
    }


def _instructions() -> str | None:
    """Return the instruction set that torch uses on the CPU, such as AVX2; None without torch.

    Limits that the environment sets for numerical libraries are added.
    """
    # The same settings give other bits with another instruction set.
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    held = [f"{name}={value}" for name, value in limits().items()]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *held])


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def gpu_name() -> str | None:
    """Return the name of the GPU if this job imported torch and torch finds one."""
    # Importing torch only to ask would slow down the jobs that do not use it.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    name: str = torch.cuda.get_device_name()
    return name


def _peak_memory_mb() -> dict[str, float]:
    peak = {"host": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        peak["gpu"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return peak
