"""Slurm, MUNGE and MariaDB from the distribution's packages, unpacked without installing them."""

import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

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


class UnavailableError(Exception):
    """The packages cannot be had on this machine; the message says why."""


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
    """Return the unpacked packages, from the cache or else from the distribution's archive."""
    release = platform.freedesktop_os_release()
    name = f"{release['ID']}-{release.get('VERSION_ID', '')}-{platform.machine()}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = cache / "fedssl-slurm" / name
    if root.is_dir() and Packages(root).starts():
        return Packages(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f"{name}.") as folder:
        unpacked = _unpack(_download(Path(folder) / "apt"), Path(folder) / "root")
        shutil.rmtree(root, ignore_errors=True)
        unpacked.rename(root)
    return Packages(root)


def _download(folder: Path) -> list[Path]:
    """Download the packages and those they need that this machine lacks; return the files."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    # Lists and archives of its own: the machine's package lists stay as they are.
    apt = ["apt-get", "-q", "-y", "-o", f"Dir::State::Lists={folder}/lists"]
    apt += ["-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"]
    apt += ["-o", "Debug::NoLocking=1", "-o", "Acquire::Retries=2"]
    # Without this option an archive that cannot be reached is only a warning.
    _run([*apt, "-o", "APT::Update::Error-Mode=any", "update"])
    _run([*apt, "install", "--download-only", "--reinstall", "--no-install-recommends", *PACKAGES])
    return sorted((folder / "archives").glob("*.deb"))


def _unpack(files: list[Path], root: Path) -> Path:
    for file in files:
        _run(["dpkg", "-x", str(file), str(root)])
    # What update-alternatives does; a daemon called by its other name behaves as a client.
    for program in (root / "usr/sbin").glob("*-wlm"):
        program.with_name(program.name.removesuffix("-wlm")).symlink_to(program.name)
    return root


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    except FileNotFoundError as error:
        raise UnavailableError(f"{command[0]} is not on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]} did not answer within 300 s") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or error.stdout.strip()).splitlines()[-1:]
        raise UnavailableError(f"{command[0]} failed: {' '.join(reason)}") from error
