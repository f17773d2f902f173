"""Leases on a real network file system: one folder, mounted twice by sshfs, which caches."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian import UnavailableError, unpacked
from tests.unit.leases import process

# Those that a real lease has, but for the pause between two looks: a cache is older than FAST's.
TIMES = {"POLL_S": 0.05}


def programs() -> tuple[dict[str, str], Path]:
    """Return the environment in which sshfs starts, and the SFTP server."""
    if shutil.which("sshfs") and (server := Path("/usr/lib/openssh/sftp-server")).is_file():
        return dict(os.environ), server
    names = ("sshfs", "libfuse3-3", "libglib2.0-0", "openssh-sftp-server")
    root = unpacked("fedssl-sshfs", names, usable=lambda root: (root / "usr/bin/sshfs").is_file())
    libraries = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
    env = {
        "PATH": f"{root}/usr/bin:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
    }
    return os.environ | env, root / "usr/lib/openssh/sftp-server"


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[list[Path]]:
    """Two mounts of one folder."""
    try:
        env, server = programs()
    except UnavailableError as error:
        pytest.skip(f"sshfs cannot be had here: {error}")
    (tmp_path / "folder").mkdir()
    connect = tmp_path / "connect"  # sshfs starts it in place of ssh, with arguments of ssh
    connect.write_text(f"#!/bin/sh\nexec {server}\n")
    connect.chmod(0o755)
    made = [tmp_path / "one", tmp_path / "two"]
    try:
        for mount in made:
            mount.mkdir()
            command = ["sshfs", f"here:{tmp_path}/folder", mount, "-o", f"ssh_command={connect}"]
            ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
            if ran.returncode:
                pytest.skip(f"sshfs cannot mount here: {ran.stderr.strip()}")
        yield made
    finally:
        for mount in made:
            subprocess.run(["umount", mount], capture_output=True, check=False)


def test_of_processes_on_two_mounts_one_at_a_time_has_the_lease(
    mounts: list[Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    body = (
        f"f = open({str(log)!r}, 'a', buffering=1); f.write('in\\n'); time.sleep(0.05); "
        "f.write('out\\n')"
    )
    crowd = []
    for number in range(6):
        host = f"node{number}"
        path = mounts[number % 2] / ".lease"
        crowd.append(process(path, body, times=TIMES, host=host, boot=host))
    for one in crowd:
        assert one.wait(120) == 0, one.stderr and one.stderr.read()
        one.communicate()
    assert log.read_text() == "in\nout\n" * len(crowd)
