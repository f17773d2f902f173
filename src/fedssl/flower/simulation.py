"""Pretrain a cell in Flower's simulation: all nodes are processes of this machine (Ray)."""

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from fedssl.federation import rounds
from fedssl.federation.participants import clients_per_round
from fedssl.federation.rounds import Engine
from fedssl.federation.settings import FederatedSettings
from fedssl.files import digest
from fedssl.flower.client import Node, client_app
from fedssl.flower.facts import engine_facts
from fedssl.flower.grid import Run, on_grid
from fedssl.gpus import visible_gpus
from fedssl.typed import typed


def pretrain(
    settings: Mapping[str, Any],
    *,
    inputs: Mapping[str, str],
    clients: int,
    checkpoints: str,
    **files: str,
) -> dict[str, Any]:
    """Do what `fedssl.federation.rounds.pretrain` does, with one virtual SuperNode per client.

    `clients` of a round train in parallel. What clients keep is next to the checkpoints.
    """
    own = typed(FederatedSettings, settings)
    facts: dict[str, Any] = {}
    ended = Event()

    def serve(grid: Grid, _context: Context) -> None:
        cell = digest(dict(settings))[:16]
        run = Run(grid, json.dumps(dict(settings)), cell, all_must_answer=True, ended=ended)
        engine = Engine("flower", partial(on_grid, run=run))
        given: dict[str, Any] = {
            "inputs": inputs,
            "clients": clients,
            "checkpoints": checkpoints,
            **files,
        }
        facts.update(rounds.pretrain(settings, engine=engine, **given))

    server = ServerApp()
    server.main()(serve)
    # Its own warnings and errors reach the job's log; its banner and progress would not help.
    logging.getLogger("flwr").setLevel(logging.WARNING)
    node = partial(_virtual, dict(inputs), str(Path(checkpoints) / "nodes"))
    workers = resources(min(clients, clients_per_round(own)))
    try:
        run_simulation(server, client_app(node), own.federation.clients, backend_config=workers)
    finally:
        # Its thread would wait for ever if Ray had crashed.
        ended.set()
    return {**facts, **engine_facts("simulation")}


def _virtual(inputs: Mapping[str, str], memory: str, context: Context) -> Node:
    return Node([int(context.node_config["partition-id"])], inputs, memory)


def resources(workers: int) -> dict[str, Any]:
    """Return Ray's resources for processes that share the GPUs of the job, if it has any."""
    gpus = len(visible_gpus())
    return {
        "client_resources": {"num_cpus": 1, "num_gpus": gpus / workers},
        "init_args": {
            "num_cpus": workers,
            "num_gpus": gpus,
            "include_dashboard": False,
            "log_to_driver": False,
        },
    }
