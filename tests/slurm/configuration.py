"""The files and the environment that make a folder a Slurm cluster's own."""

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.slurm.packages import Packages

NODES = ("node1", "node2")
TEMPLATES = Path(__file__).parent / "etc"


def write_configuration(folder: Path, packages: Packages, *, accounting: bool) -> dict[str, int]:
    """Fill `folder` with configuration, key and state folders; return the port of each daemon."""
    ports = _free_ports("slurmctld", *NODES, "slurmdbd", "mariadb")
    words = {f"{name}_port": port for name, port in ports.items()} | {
        "folder": folder,
        "host": socket.gethostname().split(".")[0],
        "plugins": packages.plugin_dir,
    }
    for name in ("slurm.conf", "slurmdbd.conf", "gres.conf", "database.sql"):
        text = (TEMPLATES / name).read_text()
        if name == "slurm.conf" and accounting:
            text += (TEMPLATES / "accounting.conf").read_text()
        (folder / name).write_text(text.format_map(words))
    (folder / "slurmdbd.conf").chmod(0o600)  # slurmdbd insists, for the password
    for name in ("slurmctld", *NODES):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    return ports


def environment(folder: Path, packages: Packages) -> dict[str, str]:
    """Return the environment of a user of the cluster in `folder`."""
    outer = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
    python = Path(sys.executable).parent
    libraries = [packages.library_path, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return outer | {
        "PATH": f"{python}:{packages.path}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": ":".join(libraries),
        "SLURM_CONF": str(folder / "slurm.conf"),
    }


def _free_ports(*names: str) -> dict[str, int]:
    # All stay bound until the last is found, so that they differ.
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for bound in sockets.values():
            bound.bind(("127.0.0.1", 0))
        return {name: bound.getsockname()[1] for name, bound in sockets.items()}
