"""Snakemake in processes that start warm: forked from one that has imported its libraries.

A dry run spends most of its time on imports. The server imports Snakemake and what the workflow's
rules need of other projects, but nothing of this one: each run reads the code of its own copy.
"""

import atexit
import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

_SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
# Of Linux: sched.h and sys/mount.h.
_NEW_MOUNTS, _READ_ONLY, _REMOUNT, _BIND, _PRIVATE = 0x20000, 1, 32, 4096, (1 << 18) | (1 << 14)
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "snakemake.cli",
        # What Snakemake imports once it runs, and what this project's planning does.
        "jsonschema",
        "nbformat",
        "pandas",
        "pyarrow.parquet",
        "pydantic",
        "requests",
        "rich.progress",
        "scipy.special",
        "smart_open",
        "snakemake.report.html_reporter",
        "yte",
    ]
)


class WarmSnakemake:
    """A run of Snakemake in a session of its own, without input, that writes into a file."""

    def __init__(
        self,
        arguments: list[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """Start the run; `prepare` is called in its process first."""
        with tempfile.NamedTemporaryFile(suffix=".out", delete=False) as log:
            self._log = Path(log.name)
        words = (arguments, cwd, dict(env), self._log, prepare)
        self._process = _SERVER.Process(target=_snakemake, args=words)
        self._process.start()

    @property
    def session(self) -> int:
        """The session of the run, which is the process of Snakemake."""
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative if a signal ended the run; None while it goes on."""
        return self._process.exitcode

    def wait(self, seconds: float) -> str:
        """Wait for the end of the run and return what it printed."""
        try:
            self._process.join(seconds)
            ended = self.returncode is not None
        finally:
            self.kill()
        printed = self._log.read_text(errors="replace")
        self._log.unlink()
        if not ended:
            raise TimeoutError(f"Snakemake did not end within {seconds} s:\n{printed}")
        return printed

    def kill(self) -> None:
        """End Snakemake and its jobs at once, as a node failure does, unless it has ended."""
        if self.returncode is None and self._process.pid:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()


def make_read_only(folder: Path) -> None:
    """Let this process find a folder read-only, also if it is root's."""
    # Here, and not in a test: to find it, the process must import nothing of this project.
    libc = ctypes.CDLL(None, use_errno=True)
    name = os.fsencode(folder)
    for failed in (
        libc.unshare(_NEW_MOUNTS),
        libc.mount(None, b"/", None, _PRIVATE, None),
        libc.mount(name, name, None, _BIND, None),
        libc.mount(None, name, None, _BIND | _REMOUNT | _READ_ONLY, None),
    ):
        assert not failed, os.strerror(ctypes.get_errno())


def _snakemake(
    arguments: list[str],
    cwd: Path,
    env: dict[str, str],
    log: Path,
    prepare: Callable[[], None] | None,
) -> None:
    """Do in this process what the command `snakemake` does in a new one."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    if prepare:
        prepare()
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    assert "fedssl" not in sys.modules, "the copy's own code has to be imported"
    sys.argv = [_SNAKEMAKE, *arguments]
    from snakemake.cli import main

    try:
        main()
    finally:
        # A process of `multiprocessing` ends without them.
        atexit._run_exitfuncs()
