"""A deployment of Flower on loopback: a SuperLink and SuperNodes as processes, over TLS."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "loopback"


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a process of Flower, whose own files are in `home`."""
    own = {
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return os.environ | own


def certificates(folder: Path) -> None:
    """Write `ca.crt`, `server.key` and `server.pem` for 127.0.0.1."""
    extra = folder / "san.cnf"
    extra.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    make = [
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test-ca -keyout ca.key -out ca.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 "
        "-extfile san.cnf -out server.pem",
    ]
    for arguments in make:
        command = ["openssl", *arguments.split()]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


class Deployment:
    """Processes that the test started, each in a group of its own."""

    def __init__(self, folder: Path) -> None:
        """Write certificates and Flower's configuration, and start the SuperLink."""
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        certificates(folder)
        self._address = f"127.0.0.1:{free_port()}"
        (folder / "config.toml").write_text(
            f'[superlink]\ndefault = "{NAME}"\n\n[superlink.{NAME}]\n'
            f'address = "{self._address}"\nroot-certificates = "{folder / "ca.crt"}"\n'
        )
        host, port = self._address.split(":")
        tls = {"certfile": "server.pem", "keyfile": "server.key", "ca-certfile": "ca.crt"}
        options = [f"--ssl-{name}={folder / file}" for name, file in tls.items()]
        options += ["--host", host, "--port", port, "--disable-runtime-dependency-installation"]
        self._start("superlink", ["flower-superlink", *options])

    def add_node(self, name: str, clients: Sequence[int], inputs: Mapping[str, str]) -> None:
        """Start a SuperNode with some clients and a memory of its own."""
        (self.folder / "inputs.json").write_text(json.dumps(dict(inputs)))
        own = f'inputs="{self.folder / "inputs.json"}" memory="{self.folder / name}"'
        config = f'clients="{" ".join(map(str, clients))}" {own}'
        options = ["--root-certificates", str(self.folder / "ca.crt")]
        options += ["--superlink", self._address, "--port", str(free_port())]
        self._start(name, ["flower-supernode", *options, "--node-config", config])

    def kill(self, name: str) -> None:
        """End a process and its children at once, without a farewell."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _start(self, name: str, command: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=environment(self.folder),
                start_new_session=True,
            )

    def end(self) -> None:
        """End everything that runs."""
        for process in self._running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def deployment(folder: Path) -> Iterator[Deployment]:
    """Yield a deployment with a SuperLink, and end it."""
    found = Deployment(folder)
    try:
        yield found
    finally:
        found.end()


def until(happened: Callable[[], bool], *, seconds: float = 900) -> None:
    """Wait until a function returns true."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.2)
