"""Snakemake as a user of the cluster types it."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from tests.slurm.cluster import SlurmCluster
from tests.slurm.supervise import supervised
from tests.workflow.project import ROOT

LIMIT_SECONDS = 1800
WAIT_SECONDS = 300
QUICK = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "1")


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


def toy_project(folder: Path, name: str = "toy") -> Path:
    """Return a folder with quick jobs and the shipped profile."""
    shutil.copytree(Path(__file__).parent / name, folder)
    (folder / "slurm").symlink_to(ROOT / "slurm")
    return folder


@dataclass(frozen=True)
class Run:
    """A Snakemake that runs in a project while the test does something to it."""

    folder: Path
    process: Popen[bytes]
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process id of Snakemake, which its supervisor has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def jobs(self, name: str) -> list[str]:
        """Return the Slurm jobs that a job of the project has been, in their order."""
        file = self.folder / f"{name}.jobs"
        return file.read_text().split() if file.is_file() else []

    def allow(self, *names: str) -> None:
        """Let jobs go on."""
        for name in names:
            (self.folder / f"{name}.go").touch()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError(f"{what}: not seen.\n{self.printed}")
            time.sleep(0.1)

    def says(self, text: str) -> None:
        """Wait until Snakemake has printed a text."""
        self.wait_for(lambda: text in self.printed, text)

    def ends(self, *, ok: bool = True) -> str:
        """Wait for Snakemake's end; return what it printed."""
        status = self.process.wait(WAIT_SECONDS)
        assert (status == 0) == ok, self.printed
        return self.printed

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


@contextmanager
def running(
    cluster: SlurmCluster,
    folder: Path,
    *targets: str,
    options: tuple[str, ...] = (),
    inside: Sequence[str] = (),
    **given: str,
) -> Iterator[Run]:
    """Run Snakemake with the shipped profile, and questions to Slurm that come sooner.

    It is started by the command `inside`, if one is given.
    """
    log = folder.with_suffix(f".{time.monotonic_ns()}.out")
    command = [*inside, "snakemake", *QUICK, *options, "--", *targets]
    with supervised(command, env=cluster.env | given, log=log, cwd=folder) as process:
        yield Run(folder, process, log)
