"""Pretrain a cell on a SuperLink: submit its job, and the ServerApp that runs it there.

The job and the ServerApp share a file system: the ServerApp reads the job's file, and writes the
checkpoints, the model and the history where the job expects them.
"""

import contextlib
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fedssl.errors import UserError
from fedssl.federation import rounds
from fedssl.federation.rounds import Engine
from fedssl.files import digest, read_json, write_json
from fedssl.flower.facts import engine_facts
from fedssl.flower.grid import Run, on_grid

APP = Path(__file__).parent / "app"
_RUN = "import sys; from flwr.cli.app import app; sys.argv[0] = 'flwr'; app()"


def pretrain(
    settings: Mapping[str, Any], *, checkpoints: str, superlink: str, **given: Any
) -> dict[str, Any]:
    """Do what `fedssl.federation.rounds.pretrain` does, on the nodes of a SuperLink.

    `superlink` names a connection of Flower's own configuration. Clients whose node is lost are
    recorded as `dropout`.

    Raises:
        UserError: The ServerApp failed.
    """
    folder = Path(checkpoints).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    job, answer = folder / "job.json", folder / "answer.json"
    answer.unlink(missing_ok=True)
    paths = {name: str(Path(given[name]).absolute()) for name in ("model", "rounds", "milestones")}
    inputs = {name: str(Path(path).absolute()) for name, path in given["inputs"].items()}
    files = {**paths, "inputs": inputs, "clients": given["clients"], "checkpoints": str(folder)}
    write_json(job, {"settings": dict(settings), "files": files, "answer": str(answer)})
    config = f'job="{job}"'
    command = [sys.executable, "-c", _RUN, "run", str(APP), superlink, "-c", config, "--stream"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    found = read_json(answer) if answer.is_file() else {"error": _last(ran)}
    if "error" in found:
        raise UserError(f"the run on SuperLink {superlink} failed: {found['error']}")
    return {**found, **engine_facts("deployment")}


def _last(ran: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
    return " ".join(lines[-3:]) or "flwr said nothing"


def _serve(grid: Grid, context: Context) -> None:
    job = read_json(str(context.run_config["job"]))
    settings, files = job["settings"], job["files"]
    cell = digest([settings, Path(files["checkpoints"]).name])[:16]
    run = Run(grid, json.dumps(settings), cell, all_must_answer=False)
    engine = Engine("flower", partial(on_grid, run=run))
    try:
        with _alone(Path(files["checkpoints"])):
            found = rounds.pretrain(settings, engine=engine, **files)
    except UserError as error:
        write_json(job["answer"], {"error": str(error)})
        raise
    write_json(job["answer"], found)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse a second ServerApp on a cell's checkpoints: the run of a killed job may go on."""
    with (folder / ".server.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another run on this SuperLink still trains the cell in {folder}; end it with "
                "`flwr stop <run id>`, which `flwr list` shows, and run again."
            ) from None
        yield


app = ServerApp()
app.main()(_serve)
