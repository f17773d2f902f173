"""The process that holds a lease: who it is, and whether it still lives."""

import getpass
import json
import os
import platform
import re
import time
import uuid
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

_ENDED = "ZX"  # states of a process that has ended and was not waited for
_MOST_PIDS = 2**31
_START = 19  # place of the start time, counted from the state
_SLURM = re.compile(r"\bjob_(\d+)\b")


@dataclass(frozen=True)
class Owner:
    """A process, named so that no other process, host or boot is taken for it.

    Attributes:
        host: name of the host.
        boot: the kernel's identifier of this boot; empty if the system has none.
        space: namespace in which the process identifier counts; containers have their own.
        user: name of the user.
        pid: process identifier.
        started: start of the process, in the kernel's ticks since the boot.
        slurm_job: Slurm's job, if the process is in one.
        since: when the lease was taken, in UTC.
        token: random text that no other lease has.
    """

    host: str
    boot: str
    space: str
    user: str
    pid: int
    started: str
    slurm_job: str | None
    since: str
    token: str

    def __str__(self) -> str:
        """Return the process, its user, host and job, and since when it holds the lease."""
        job = f" (Slurm job {self.slurm_job})" if self.slurm_job else ""
        return f"process {self.pid} of {self.user} on {self.host}{job} since {self.since}"

    @property
    def is_known(self) -> bool:
        """Whether the lease names a process."""
        return self.pid > 0

    @property
    def end(self) -> str:
        """The command that ends the process."""
        return f"`scancel {self.slurm_job}`" if self.slurm_job else f"`kill {self.pid}`"

    def lives(self) -> bool | None:
        """Return whether the process lives; None if that cannot be seen from this process."""
        if not self.boot or (self.boot, self.space) != (_boot(), _space()):
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # of another user, but it exists
            pass
        if (found := _stat(self.pid)) is None:  # some systems hide the processes of other users
            return None
        return found[0] not in _ENDED and found[_START] == self.started

    def rebooted(self, silent: float) -> bool:
        """Return whether its host was booted since its last sign of life, `silent` seconds ago."""
        # Two hosts of one name have different boots as well, but the other one would not be silent.
        known = self.boot and self.host == platform.node() and self.boot != _boot()
        return bool(known) and silent > time.clock_gettime(time.CLOCK_BOOTTIME)

    def to_json(self) -> bytes:
        """Return the content of a lease file."""
        return json.dumps(asdict(self)).encode() + b"\n"


_UNKNOWN = Owner("?", "", "", "?", 0, "", None, "?", token="")


def this_process() -> Owner:
    """Return this process as the owner of a new lease."""
    return Owner(
        host=platform.node(),
        boot=_boot(),
        space=_space(),
        user=_user(),
        pid=os.getpid(),
        started=(_stat(os.getpid()) or [""] * (_START + 1))[_START],
        slurm_job=_slurm_job(),
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        token=uuid.uuid4().hex,
    )


def parse_owner(content: bytes) -> Owner:
    """Return the owner that a lease file names; one that is not known if the file is damaged."""
    try:
        said = json.loads(content)
        found = Owner(**{field.name: said[field.name] for field in fields(Owner)})
    except (ValueError, TypeError, KeyError, RecursionError):
        return _UNKNOWN
    texts = [getattr(found, field.name) for field in fields(Owner) if field.type is str]
    job = found.slurm_job is None or isinstance(found.slurm_job, str)
    whole = job and all(isinstance(text, str) for text in texts) and type(found.pid) is int
    return found if whole and 0 < found.pid < _MOST_PIDS else _UNKNOWN


@cache
def _boot() -> str:
    return _text("/proc/sys/kernel/random/boot_id").strip()


@cache
def _space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/<pid>/stat from the state on; None if they are not shown."""
    # The name before the state can have spaces and parentheses.
    return _text(f"/proc/{pid}/stat").rpartition(")")[2].split() or None


def _slurm_job() -> str | None:
    # Slurm's variables are missing in a job's steps if their launcher drops them.
    found = _SLURM.search(_text("/proc/self/cgroup"))
    return os.environ.get("SLURM_JOB_ID") or (found[1] if found else None)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run under numbers that have no name
        return str(os.getuid())


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
