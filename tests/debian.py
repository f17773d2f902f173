"""The distribution's packages, unpacked into the user's cache without installing them."""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


class UnavailableError(Exception):
    """The packages cannot be had on this machine; the message says why."""


def unpacked(
    name: str,
    packages: Sequence[str],
    *,
    usable: Callable[[Path], bool],
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """Return the folder of the unpacked packages, from the cache or the distribution's archive.

    Args:
        name: Of the folder in the cache.
        packages: What to unpack, with all that it needs and this machine lacks.
        usable: Whether what lies in a folder of the cache still runs.
        finish: What an installation would have done after unpacking.

    Raises:
        UnavailableError: The packages could not be downloaded or unpacked.
    """
    release = platform.freedesktop_os_release()
    system = f"{release['ID']}-{release.get('VERSION_ID', '')}-{platform.machine()}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = cache / name / system
    if root.is_dir() and usable(root):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f"{system}.") as folder:
        fresh = Path(folder) / "root"
        for file in _download(Path(folder) / "apt", packages):
            _run(["dpkg", "-x", str(file), str(fresh)])
        if finish:
            finish(fresh)
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)
    return root


def _download(folder: Path, packages: Sequence[str]) -> list[Path]:
    """Download the packages and those they need that this machine lacks; return the files."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    # Lists and archives of its own: the machine's package lists stay as they are.
    apt = ["apt-get", "-q", "-y", "-o", f"Dir::State::Lists={folder}/lists"]
    apt += ["-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"]
    apt += ["-o", "Debug::NoLocking=1", "-o", "Acquire::Retries=2"]
    # Without this option an archive that cannot be reached is only a warning.
    _run([*apt, "-o", "APT::Update::Error-Mode=any", "update"])
    _run([*apt, "install", "--download-only", "--reinstall", "--no-install-recommends", *packages])
    return sorted((folder / "archives").glob("*.deb"))


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
