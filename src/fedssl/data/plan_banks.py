"""Plan which files of banks a job reads, and which datasets have samples on the report page."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fedssl.data.banks.bank import FILES
from fedssl.data.own.dataset_entry import is_own
from fedssl.grid.plan import Plan, Wildcards
from fedssl.grid.snakemake_api import ancient
from fedssl.grid.tasks import Task


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


def scored_datasets(plan: Plan) -> list[str]:
    """Return the datasets that the tasks of the run score."""
    return list(dict.fromkeys(task.dataset for task in _tasks(plan)))


def may_be_shown(plan: Plan, dataset: str) -> bool:
    """Return whether samples of a dataset may be copied: of made-up data and a user's own."""
    entry = plan.config["datasets"][dataset]
    return bool(entry.get("synthetic", False)) or is_own(entry)


def example_datasets(plan: Plan) -> list[str]:
    """Return the scored datasets with samples on the report page."""
    return [name for name in scored_datasets(plan) if may_be_shown(plan, name)]


def example_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the splits whose samples are stored: those that tasks score."""
    splits = {task.split for task in _tasks(plan) if task.dataset == wildcards.dataset}
    return {"splits": sorted(splits)}


def _tasks(plan: Plan) -> list[Task]:
    return [task for study in plan.studies for task in plan.grid.tasks(study)]


def _flat(values: Iterable[str | list[str]]) -> list[str]:
    return [path for value in values for path in ([value] if isinstance(value, str) else value)]
