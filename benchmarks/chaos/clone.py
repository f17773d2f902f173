"""A clone of the checkout in which Snakemake runs as a user runs it."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.chaos.processes import ended, jobs_of_session, kill_session
from tests.workflow.warm import WarmSnakemake

CHECKOUT = Path(__file__).parents[2]
CONFIG = ("config/demo.yaml", "benchmarks/chaos/campaign.yaml")
IMAGE_CELL = "fssuavl/simclr/resnet18/fedavg/a0-i100-b0/base/seed0"
SOUND_CELL = "fassl/acop/resnet18/l-dawa/a100-i0-b0/base/seed0"
TARGETS = ("{results}/evaluate/" + IMAGE_CELL + "/tiny-imagenet/knn.json", "fassl_rounds")
_SECONDS = 1800.0  # a run that has not ended by then counts as one that never ends
_GRACE = 60.0  # for processes of a run whose Snakemake has ended


class Ended(NamedTuple):
    """How a command ended: its exit code, what it printed, and the processes it left behind."""

    code: int
    printed: str
    left: int = 0


@dataclass(frozen=True)
class Clone:
    """A copy of the checkout's files.

    Attributes:
        root: folder of the clone.
        results: results folder, as the configuration names it.
        config: configuration files.
        targets: what is asked for; `{results}` stands for the results folder.
        user: numeric id of the user who runs the commands; None for the present one.
        is_shared: whether other users may change the results.
    """

    root: Path
    results: str = "results/demo"
    config: tuple[str, ...] = CONFIG
    targets: tuple[str, ...] = (*TARGETS, "fassl_random_init")
    user: int | None = None
    is_shared: bool = False

    @classmethod
    def of_checkout(cls, root: Path) -> "Clone":
        """Copy every tracked or new file of the checkout."""
        listed = subprocess.check_output(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=CHECKOUT, text=True
        )
        for name in filter(None, listed.split("\0")):
            if (CHECKOUT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / name, root / name)
        return cls(root)

    @property
    def folder(self) -> Path:
        """The results folder."""
        return self.root / self.results

    def copy(self, root: Path) -> "Clone":
        """Copy the clone, its results, the times of its files, and Snakemake's metadata."""
        shutil.copytree(self.root, root, symlinks=True)
        for path in (self.root, *self.root.rglob("*")):
            shutil.copystat(path, root / path.relative_to(self.root))
        return replace(self, root=root)

    def asking(self, *targets: str) -> "Clone":
        """Return the same clone with other targets."""
        return replace(self, targets=targets)

    def start(self, *options: str, prepare: Callable[[], None] | None = None) -> "Run":
        """Start Snakemake; `prepare` is called in the new process before."""
        targets = [target.format(results=self.results) for target in self.targets]
        folders = [f"{name}_dir={self.results}" for name in ("results", "data")]
        settings = ["--configfile", *self.config, "--config", *folders]
        if self.is_shared:
            prepare = partial(become, self.user, prepare)
        return Run(
            WarmSnakemake(
                ["--cores", "2", *options, *settings, "--", *targets],
                cwd=self.root,
                env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
                prepare=prepare,
            )
        )

    def start_again(self, *, prepare: Callable[[], None] | None = None) -> "Run":
        """Give the command again, as a user does whom Snakemake tells of its lock."""
        # What `snakemake --unlock` does, without the seconds of another plan.
        shutil.rmtree(self.root / ".snakemake" / "locks", ignore_errors=True)
        return self.start("--rerun-incomplete", prepare=prepare)

    def again(self) -> Ended:
        """Give the command again, and wait for its end."""
        return self.start_again().wait()


class Run:
    """A running Snakemake in a session of its own."""

    def __init__(self, process: WarmSnakemake) -> None:
        """Take the process."""
        self._process = process

    @property
    def running(self) -> bool:
        """Whether Snakemake runs."""
        return self._process.returncode is None

    def kill(self, whom: str) -> bool:
        """Kill `everything`, only `snakemake`, or only a `job`; return whether it still ran."""
        session = self._process.session
        if not self.running:
            return False
        if whom == "everything":
            kill_session(session)
        elif whom == "snakemake":
            os.kill(session, signal.SIGKILL)
        elif jobs := jobs_of_session(session):
            os.kill(min(jobs), signal.SIGKILL)
        else:
            return False
        return True

    def wait(self, seconds: float = _SECONDS) -> Ended:
        """Wait for the end of Snakemake and of its processes; kill what does not end."""
        session = self._process.session
        printed = self._process.wait(seconds)
        ended(session, seconds=_GRACE)
        left = kill_session(session)
        return Ended(self._process.returncode or 0, printed, left)

    def end(self) -> None:
        """Kill what still runs."""
        kill_session(self._process.session)
        self._process.wait(_GRACE)


def limit_file_size(size: int) -> None:
    """Let this process write no file beyond a size, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def become(user: int | None, prepare: Callable[[], None] | None) -> None:
    """Let this process share its files with all users, and be another user if one is given."""
    os.umask(0)
    if prepare:
        prepare()
    if user is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
