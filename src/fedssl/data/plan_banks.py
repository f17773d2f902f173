"""Plan which files of banks a job reads."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fedssl.data.banks.bank import FILES
from fedssl.grid.plan import Plan, Wildcards
from fedssl.grid.snakemake_api import ancient


def dataset_bank(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the bank of the dataset in the wildcards."""
    return {"bank": plan.paths.bank(wildcards.dataset)}


def bank_arrays(
    plan: Plan, wildcards: Wildcards, *, inputs: Callable[[Plan, Wildcards], dict[str, Any]]
) -> list[str]:
    """Return the files next to each bank.json among the inputs of a job.

    They have no names, so that a script sees only the inputs that it names.
    """
    # Ancient, because bank.json has the hash of each: a bank that was built again and has the same
    # contents reruns nothing.
    return [
        ancient(plan.paths.bank_file(path.parent.name, name))
        for path in map(Path, _flat(inputs(plan, wildcards).values()))
        if path.name == "bank.json"
        for name in FILES[plan.config["datasets"][path.parent.name]["modality"]]
    ]


def _flat(values: Iterable[str | list[str]]) -> list[str]:
    return [path for value in values for path in ([value] if isinstance(value, str) else value)]
