"""A Slurm cluster of two nodes on loopback: its own ports, its own state folder, fake GPUs."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.slurm.configuration import NODES, environment, write_configuration
from tests.slurm.packages import Packages
from tests.slurm.supervise import supervised

START_SECONDS = 60
ACCOUNTS = ("lab", "other")


class ClusterError(Exception):
    """A daemon did not start, or a Slurm command failed."""


class SlurmCluster:
    """A cluster that runs inside a `with` block; `env` makes a subprocess its user.

    Its daemons are started by the command `inside`, if one is given.
    """

    def __init__(
        self, folder: Path, packages: Packages, *, accounting: bool, inside: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.accounting = accounting
        self.env = environment(folder, packages)
        self._packages = packages
        self._inside = inside
        self._ports = write_configuration(folder, packages, accounting=accounting)
        self._running = ExitStack()
        self._daemons: dict[str, ExitStack] = {}

    def __enter__(self) -> Self:
        with ExitStack() as running:
            self._running = running
            self._start_munge()
            if self.accounting:
                self._start_accounting()
            self._start_controller()
            for node in NODES:
                self._start_node(node)
            if self.accounting:
                self._add_accounts()
            self._running = running.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.__exit__(kind, error, traceback)

    def command(self, *words: str, text: str = "") -> str:
        """Return what a command prints that is given `text` as its standard input."""
        done = subprocess.run(
            words, input=text, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise ClusterError(f"{' '.join(words)} failed: {done.stderr.strip()}")
        return done.stdout

    def sacct(self, *fields: str) -> list[dict[str, str]]:
        """Return these fields of every job that accounting knows."""
        options = ["--allocations", "--starttime=now-1days", "--units=M", "--noheader"]
        wanted = f"--format={','.join(fields)}"
        table = self.command("sacct", *options, "--parsable2", wanted)
        return [dict(zip(fields, line.split("|"), strict=True)) for line in table.splitlines()]

    def states(self) -> dict[str, str]:
        """Return {id: state} of every job that the controller still knows."""
        lines = self.command("squeue", "--states=all", "--noheader", "--format=%A %T").splitlines()
        return dict(line.split() for line in lines)

    def scontrol(self) -> list[dict[str, str]]:
        """Return every job that the controller still knows, with all its fields."""
        lines = self.command("scontrol", "--oneliner", "show", "jobs").splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    @contextmanager
    def without(self, daemon: str, *, reboots: bool = False) -> Iterator[None]:
        """Stop a daemon for the time of a `with` block; a node's jobs die with its own.

        A node that `reboots` says so when it is back.
        """
        self._daemons[daemon].close()
        yield
        if daemon in NODES:
            self._start_node(daemon, *["-b"] * reboots)
        else:
            {"slurmctld": self._start_controller, "slurmdbd": self._start_slurmdbd}[daemon]()

    def _start_munge(self) -> None:
        socket_file = self.folder / "munge.socket"
        files = {"key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]
        options += [f"--socket={socket_file}", "--foreground", "--force"]
        self._start("munged", *options, ready=socket_file.exists)

    def _start_accounting(self) -> None:
        usr, data = self._packages.root / "usr", self.folder / "mariadb"
        place = ["--no-defaults", f"--basedir={usr}", f"--datadir={data}", "--user=root"]
        place += ["--innodb-log-file-size=4M", "--innodb-use-native-aio=0"]
        data.mkdir()
        system = [usr / "share/mysql" / f"mysql_system_tables{part}.sql" for part in ("", "_data")]
        tables = "CREATE DATABASE mysql;\nUSE mysql;\n" + "".join(f.read_text() for f in system)
        self.command(self._packages.program("mariadbd"), *place, "--bootstrap", text=tables)
        own = [f"--port={self._ports['mariadb']}", "--bind-address=127.0.0.1"]
        own += [f"--socket={self.folder}/mariadb.socket", f"--pid-file={self.folder}/mariadb.pid"]
        own += [f"--init-file={self.folder}/database.sql"]
        self._start("mariadbd", *place, *own, ready=self._database_listens)
        self._start_slurmdbd()

    def _start_slurmdbd(self) -> None:
        self._start("slurmdbd", "-D", ready=self._answers("sacctmgr", "-n", "show", "cluster"))

    def _add_accounts(self) -> None:
        for account in ACCOUNTS:
            self.command("sacctmgr", "-i", "add", "account", account)
            self.command("sacctmgr", "-i", "add", "user", "root", f"account={account}")
        default = f"defaultaccount={ACCOUNTS[0]}"
        self.command("sacctmgr", "-i", "modify", "user", "root", "set", default)

    def _start_controller(self) -> None:
        self._start("slurmctld", "-D", ready=self._answers("scontrol", "ping", says="UP"))

    def _start_node(self, name: str, *options: str) -> None:
        step = self._packages.program("slurmstepd")
        states = "--states=idle,mixed,allocated"  # a node that restarts may have jobs
        up = self._answers("sinfo", "--noheader", states, "--format=%N", says=name[-1])
        self._start("slurmd", "-D", "-N", name, "-d", step, *options, ready=up, log=name)

    def _start(
        self, name: str, *options: str, ready: Callable[[], bool], log: str | None = None
    ) -> None:
        """Start a daemon that ends with the cluster and wait until it is ready."""
        stack = self._daemons[log or name] = ExitStack()
        self._running.callback(stack.close)
        file = self.folder / f"{log or name}.log"
        command = [*self._inside, self._packages.program(name), *options]
        process = stack.enter_context(supervised(command, env=self.env, log=file))
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                last = "\n".join(file.read_text(errors="replace").splitlines()[-10:])
                raise ClusterError(f"{name} ended, or said nothing for {START_SECONDS} s:\n{last}")
            time.sleep(0.1)

    def _answers(self, *words: str, says: str = "") -> Callable[[], bool]:
        def ready() -> bool:
            try:
                return says in self.command(*words)
            except ClusterError:
                return False

        return ready

    def _database_listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self._ports["mariadb"])) == 0
