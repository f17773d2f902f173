"""Chromium: the machine's own, or else the distribution's package, unpacked."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.debian import unpacked

_PACKAGES = ("chromium", "fonts-dejavu-core")
_LIBRARIES = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio")


@dataclass(frozen=True)
class Chromium:
    """The browser's program, and what its environment needs to find libraries and fonts."""

    program: Path
    env: dict[str, str]

    def starts(self) -> bool:
        """Return whether every library the browser needs is there."""
        command = [self.program, "--version"]
        env = os.environ | self.env
        return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


def chromium() -> Chromium:
    """Return a browser that starts; UnavailableError where there can be none."""
    installed = shutil.which("chromium")
    if installed:
        return Chromium(Path(installed), {})
    return _below(unpacked("fedssl-chromium", _PACKAGES, usable=_starts))


def _starts(root: Path) -> bool:
    return _below(root).starts()


def _below(root: Path) -> Chromium:
    # PulseAudio's library finds its own folder only where it is installed.
    folders = [path for pattern in _LIBRARIES for path in root.glob(pattern)]
    env = {
        "LD_LIBRARY_PATH": ":".join(map(str, folders)),
        "FONTCONFIG_PATH": f"{root}/etc/fonts",
        "XDG_DATA_HOME": f"{root}/usr/share",  # where fonts.conf looks for fonts, too
    }
    return Chromium(root / "usr/lib/chromium/chromium", env)
