"""Rounds of this project on its engine `flower`: the same round loop, with Ray's actors."""

import itertools
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers.federation import CPU, Turns, folder_of_work, read
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from fedssl.federation import rounds
from fedssl.flower.client import Node, client_app
from fedssl.flower.grid import Run, on_grid
from fedssl.flower.simulation import resources


def node(folder: Path, context: Context) -> Node:
    """Return the virtual node of one client."""
    # An actor that reads the work also knows the encoders of the benchmark.
    from benchmarks.peers.federation import read

    inputs = read(folder)[1]
    return Node([int(context.node_config["partition-id"])], inputs, str(folder / "memory"))


def main() -> None:
    """Run a round in each turn."""
    turns, folder = Turns(), folder_of_work()
    work, inputs = read(folder)
    settings = work.settings()

    def serve(grid: Grid, _context: Context) -> None:
        federation, server = rounds.set_up(settings, inputs, device=CPU)
        run = Run(grid, json.dumps(asdict(settings)), "benchmark", all_must_answer=True)
        numbers = itertools.count(1)

        def run_round() -> dict[str, float]:
            nonlocal server
            server, rows = rounds.run_round(running, server, next(numbers))
            return {"steps": sum(row["seconds"] for row in rows)}

        with on_grid(federation, work.workers, inputs, device=CPU, run=run) as running:
            turns.take(run_round)

    app: Any = ServerApp()
    app.main()(serve)
    backend = resources(work.workers)
    run_simulation(app, client_app(partial(node, folder)), work.clients, backend_config=backend)


if __name__ == "__main__":
    main()
