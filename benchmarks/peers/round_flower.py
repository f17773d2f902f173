"""Rounds of Flower's simulation: FedAvg on Ray, with as many actors as we have workers."""

import contextlib
from pathlib import Path
from typing import Any

from benchmarks.peers.federation import Turns, folder_of_work, read, trainer
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

FOREVER = 10**6


class NoMoreTurns(Exception):
    """Ends the simulation, whose number of rounds is fixed when it starts."""


class TakeTurns(FedAvg):  # type: ignore[misc]
    """FedAvg that waits for its turn before each round."""

    def __init__(self, turns: Turns, **settings: Any) -> None:
        """Keep the turns."""
        super().__init__(**settings)
        self._turns = turns

    def configure_train(self, *given: Any) -> Any:
        """Wait, then begin the round."""
        if not self._turns.wait():
            raise NoMoreTurns
        return super().configure_train(*given)

    def aggregate_train(self, *given: Any) -> Any:
        """End the round, and answer."""
        found = super().aggregate_train(*given)
        if found[0] is None:
            raise RuntimeError("no client of the round answered")
        self._turns.done()
        return found


def client_app(folder: Path) -> ClientApp:
    """Return the client: load the model, train, send the model."""
    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Message, context: Context) -> Message:
        method, run = trainer(folder)
        held = read(folder)[0].holdings()[context.node_config["partition-id"]]
        method.load_state_dict(message.content["arrays"].to_torch_state_dict())
        run(held)
        content = {
            "arrays": ArrayRecord(method.state_dict()),
            "metrics": MetricRecord({"num-examples": len(held)}),
        }
        return Message(content=RecordDict(content), reply_to=message)

    return app


def main() -> None:
    """Train until there are no more turns."""
    turns, folder = Turns(), folder_of_work()
    work, _ = read(folder)
    method, _ = trainer(folder)
    server = ServerApp()

    @server.main()  # type: ignore[untyped-decorator]
    def serve(grid: Grid, _context: Context) -> None:
        share = work.cohort / work.clients
        strategy = TakeTurns(
            turns, fraction_train=share, fraction_evaluate=0.0, min_available_nodes=work.clients
        )
        strategy.start(grid, ArrayRecord(method.state_dict()), num_rounds=FOREVER)

    resources = {
        "client_resources": {"num_cpus": 1, "num_gpus": 0},
        "init_args": {"num_cpus": work.workers, "include_dashboard": False},
    }
    with contextlib.suppress(NoMoreTurns):
        run_simulation(server, client_app(folder), work.clients, backend_config=resources)


if __name__ == "__main__":
    main()
