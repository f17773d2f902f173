"""One folder of packages per peer under `.bench/`, in front of the packages of the project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCH = ROOT / ".bench"
_PINS = "pins.txt"


def install(peer: str) -> str | None:
    """Install a peer's pinned packages, if not done; return why that failed, or None."""
    pins, folder = pins_of(peer), BENCH / peer
    if (folder / _PINS).is_file() and (folder / _PINS).read_text() == pins.read_text():
        return None
    shutil.rmtree(folder, ignore_errors=True)
    # Without dependencies: the pins hold all that the project's environment lacks, and torch and
    # numpy must be those that we run on.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", "--target", str(folder), "-r", str(pins)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        return f"it does not install: {last_line(ran.stderr)}"
    shutil.copy(pins, folder / _PINS)
    return None


def pins_of(peer: str) -> Path:
    """Return the file of a peer's pinned packages."""
    return Path(__file__).parent / f"{peer}.txt"


def version(peer: str) -> str:
    """Return the pin of a peer itself, such as `pfl==0.6.0`."""
    lines = pins_of(peer).read_text().splitlines()
    return next(line for line in lines if not line.startswith("#"))


def variables(peers: Iterable[str]) -> dict[str, str]:
    """Return the environment variables of a process on one thread that can import the peers."""
    paths = [*(str(BENCH / peer) for peer in peers), str(ROOT), str(ROOT / "src")]
    quiet = {
        "FLWR_TELEMETRY_ENABLED": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONWARNINGS": "ignore",
    }
    return os.environ | quiet | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def last_line(text: str) -> str:
    """Return the last line of a program's output that says something."""
    return next((line.strip() for line in text.splitlines()[::-1] if line.strip()), "no message")
