"""The engine of a pretraining: our own processes, or Flower. Both give the same bits."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fedssl.errors import UserError
from fedssl.federation import rounds


def pretraining(engine: str, superlink: str = "") -> Callable[..., dict[str, Any]]:
    """Return the function that pretrains a cell under an engine, `native` or `flower`.

    `superlink` names the deployment to run on; without it, Flower simulates one on this machine.

    Raises:
        UserError: Flower is not installed.
    """
    if engine == "native":
        return rounds.pretrain
    if find_spec("flwr") is None:
        raise UserError(
            "engine is flower, but the package flwr is not installed here; run `make flower`, and "
            "start .venv-flower/bin/snakemake instead."
        )
    # By name, so that an edit of an engine, which changes no bit, does not rerun every cell.
    runtime = import_module(f"fedssl.flower.{'deployment' if superlink else 'simulation'}")
    return partial(runtime.pretrain, superlink=superlink) if superlink else runtime.pretrain
