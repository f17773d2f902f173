"""Slurm, MUNGE and MariaDB from the distribution's packages, unpacked without installing them."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.debian import unpacked

# mariadb-server-core holds mariadbd and its set-up script; mariadb-server only a system service.
PACKAGES = (
    "slurmctld",
    "slurmd",
    "slurmdbd",
    "slurm-client",
    "slurm-wlm-basic-plugins",
    "slurm-wlm-mysql-plugin",
    "munge",
    "mariadb-server-core",
)


@dataclass(frozen=True)
class Packages:
    """The unpacked packages below `root`."""

    root: Path

    @property
    def path(self) -> str:
        return f"{self.root}/usr/sbin:{self.root}/usr/bin"

    @property
    def plugin_dir(self) -> Path:
        return next(self.root.glob("usr/lib/*/slurm-wlm"))

    @property
    def library_path(self) -> str:
        return f"{self.plugin_dir.parent}:{self.plugin_dir}"

    def program(self, name: str) -> str:
        return str(self.root / "usr/sbin" / name)

    def starts(self) -> bool:
        """Return whether every library the controller needs is there."""
        env = os.environ | {"LD_LIBRARY_PATH": self.library_path}
        command = [self.program("slurmctld"), "-V"]
        return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


def packages() -> Packages:
    """Return the unpacked packages; UnavailableError where they cannot be had."""
    return Packages(unpacked("fedssl-slurm", PACKAGES, usable=_starts, finish=_name_daemons))


def _starts(root: Path) -> bool:
    return Packages(root).starts()


def _name_daemons(root: Path) -> None:
    # What update-alternatives does; a daemon called by its other name behaves as a client.
    for program in (root / "usr/sbin").glob("*-wlm"):
        program.with_name(program.name.removesuffix("-wlm")).symlink_to(program.name)
