"""Runs Snakemake in a copy of the project, as a user does."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fedssl.grid.cell import AXES

ROOT = Path(__file__).parents[2]
CONFIG = ("--configfile", "config/demo.yaml", "tests/workflow/grid.yaml")
_PRETRAINED = re.compile(r"^rule pretrain\w*:\n(?:    .*\n)*?    wildcards: (.*)$", re.MULTILINE)
_REASONED = re.compile(r"^(\w+)\s+(\d+)$", re.MULTILINE)


@dataclass
class Project:
    """A copy of the checkout's files with results of its own."""

    root: Path
    _originals: dict[Path, tuple[bytes, int]] = field(default_factory=dict)

    @classmethod
    def copy(cls, root: Path) -> "Project":
        """Copy every tracked or new file of the checkout into `root`."""
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        return cls(root)

    def snakemake(self, *arguments: str, config: tuple[str, ...] = CONFIG) -> subprocess.Popen[str]:
        """Start Snakemake in a process group of its own."""
        return subprocess.Popen(
            [Path(sys.executable).with_name("snakemake"), *config, *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )

    def run(
        self,
        *arguments: str,
        config: tuple[str, ...] = CONFIG,
        ok: bool = True,
        seconds: float = 900,
    ) -> str:
        """Run Snakemake to its end and return what it printed."""
        process = self.snakemake(*arguments, config=config)
        printed, _ = process.communicate(timeout=seconds)
        assert (process.returncode == 0) == ok, printed
        return printed

    def planned(self, *arguments: str, config: tuple[str, ...] = CONFIG) -> dict[str, int]:
        """Return {rule: number of jobs} of a dry run."""
        printed = self.run("--dry-run", *arguments, config=config)
        if "Nothing to be done" in printed:
            return {}
        table = printed[printed.index("Job stats:") :].split("\n\n")[0]
        jobs = {rule: int(count) for rule, count in _REASONED.findall(table)}
        return {
            rule: count for rule, count in jobs.items() if rule not in ("all", "default", "total")
        }

    def planned_outputs(self, *arguments: str, config: tuple[str, ...] = CONFIG) -> set[str]:
        """Return the models that a dry run would train again, by their axes but study and seed."""
        printed = self.run("--dry-run", *arguments, config=config)
        wildcards = (match[1].split(", ") for match in _PRETRAINED.finditer(printed))
        cells = (dict(part.split("=", 1) for part in parts) for parts in wildcards)
        return {" ".join(cell[axis] for axis in AXES) for cell in cells}

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Change a file's text; `restore` puts it back."""
        path = self.root / name
        self._originals.setdefault(path, (path.read_bytes(), path.stat().st_mtime_ns))
        before = path.read_text()
        after = change(before)
        assert after != before, f"the edit of {name} changed nothing"
        path.write_text(after)

    def touch(self, name: str) -> None:
        """Give a file a new time; `restore` puts the old one back."""
        path = self.root / name
        self._originals.setdefault(path, (path.read_bytes(), path.stat().st_mtime_ns))
        os.utime(path)

    def restore(self) -> None:
        """Put back every edited file, with its time."""
        for path, (content, mtime) in self._originals.items():
            path.write_bytes(content)
            os.utime(path, ns=(mtime, mtime))
        self._originals.clear()

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End Snakemake and its jobs at once, as a node failure does."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until a condition holds while a process runs."""
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "waited 300 s in vain"
        time.sleep(0.02)
