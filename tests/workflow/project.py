"""Runs Snakemake in a copy of the project, as a user does."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fedssl.grid.cell import AXES
from tests.workflow.warm import WarmSnakemake

ROOT = Path(__file__).parents[2]
CONFIG = ("--configfile", "config/demo.yaml", "tests/workflow/grid.yaml")
_PRETRAINED = re.compile(r"^rule pretrain\w*:\n(?:    .*\n)*?    wildcards: (.*)$", re.MULTILINE)
_REASONED = re.compile(r"^(\w+)\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """What a dry run printed."""

    printed: str

    @property
    def jobs(self) -> dict[str, int]:
        """Return {rule: number of jobs}."""
        if "Nothing to be done" in self.printed:
            return {}
        table = self.printed[self.printed.index("Job stats:") :].split("\n\n")[0]
        jobs = {rule: int(count) for rule, count in _REASONED.findall(table)}
        return {
            rule: count for rule, count in jobs.items() if rule not in ("all", "default", "total")
        }

    @property
    def models(self) -> set[str]:
        """Return the models that would be trained again, by their axes but study and seed."""
        wildcards = (match[1].split(", ") for match in _PRETRAINED.finditer(self.printed))
        cells = (dict(part.split("=", 1) for part in parts) for parts in wildcards)
        return {" ".join(cell[axis] for axis in AXES) for cell in cells}


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

    def clone(self, root: Path) -> "Project":
        """Copy this project, results and times included, into a new folder `root`."""
        shutil.copytree(self.root, root)
        for path in (self.root, *self.root.rglob("*")):
            shutil.copystat(path, root / path.relative_to(self.root))
        return Project(root)

    def snakemake(self, *arguments: str, config: tuple[str, ...] = CONFIG) -> WarmSnakemake:
        """Start Snakemake."""
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return WarmSnakemake([*config, *arguments], cwd=self.root, env=env)

    def run(
        self,
        *arguments: str,
        config: tuple[str, ...] = CONFIG,
        ok: bool = True,
        seconds: float = 900,
    ) -> str:
        """Run Snakemake to its end and return what it printed."""
        process = self.snakemake(*arguments, config=config)
        printed = process.wait(seconds)
        assert (process.returncode == 0) == ok, printed
        return printed

    def plan(self, *arguments: str, config: tuple[str, ...] = CONFIG) -> Plan:
        """Return what a dry run says."""
        return Plan(self.run("--dry-run", *arguments, config=config))

    def planned(self, *arguments: str, config: tuple[str, ...] = CONFIG) -> dict[str, int]:
        """Return {rule: number of jobs} of a dry run."""
        return self.plan(*arguments, config=config).jobs

    def logged(self) -> str:
        """Return Snakemake's own log of the latest run, which tells more than what it printed."""
        return max((self.root / ".snakemake/log").iterdir()).read_text()

    def shell(self, commands: str) -> str:
        """Run commands of a document, word for word, and return what they printed."""
        binaries = Path(sys.executable).parent
        environment = os.environ | {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.root / "src"),
        }
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

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

    def remove(self, name: str) -> None:
        """Remove a file; `restore` puts it back."""
        path = self.root / name
        self._originals.setdefault(path, (path.read_bytes(), path.stat().st_mtime_ns))
        path.unlink()

    def restore(self) -> None:
        """Put back every file that was edited or removed, with its time."""
        for path, (content, mtime) in self._originals.items():
            path.write_bytes(content)
            os.utime(path, ns=(mtime, mtime))
        self._originals.clear()


def wait_for(condition: Callable[[], object], process: WarmSnakemake) -> None:
    """Wait until a condition holds while Snakemake runs."""
    deadline = time.monotonic() + 300
    while not condition():
        assert process.returncode is None, process.wait(0)
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError("waited 300 s in vain")
        time.sleep(0.02)
