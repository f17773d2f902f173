"""Inputs and parameters of the rules that deal shards and pretrain cells."""

from typing import Any

from fedssl import aggregators, backbones, methods
from fedssl.files import digest
from fedssl.grid.cell import Cell
from fedssl.grid.plan import Plan, Wildcards
from fedssl.record.sources import source_digests


def sharding_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings behind the sharding wildcard."""
    return plan.grid.shardings()[wildcards.sharding]


def recorded_sharding(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the settings for the record of shards, which include the seed."""
    return {**sharding_settings(plan, wildcards), "seed": int(wildcards.seed)}


def pretrain_settings(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return everything that a cell's result depends on, as one dict."""
    return plan.grid.settings(Cell.of(wildcards))


def pretrain_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the banks and shards of the modalities in use, and the spectrogram statistics.

    A centralised cell has no shards.
    """
    cell, paths = Cell.of(wildcards), plan.paths
    inputs = {}
    for modality, dataset in plan.grid.datasets(cell).items():
        inputs[f"{modality}_bank"] = paths.bank(dataset)
        if cell.federated:
            shards = paths.shards(dataset, plan.grid.sharding(cell), cell.seed)
            inputs[f"{modality}_shards"] = shards
        if modality == "audio":
            inputs["normalisation"] = paths.normalisation(cell.study, dataset)
    return inputs


def pretrain_sources(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the digests of a cell's code: method, encoder and, if federated, aggregator."""
    parts = [methods.module_name(wildcards.method), backbones.module_name(wildcards.arch)]
    if not Cell.of(wildcards).federated:
        return source_digests(plan.scripts / "pretrain_centralised.py", *parts)
    parts.append(aggregators.module_name(wildcards.aggregator))
    return source_digests(plan.scripts / "pretrain.py", *parts)


def pretrain_state(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of a job's checkpoints, which depends on its settings and its code."""
    key = digest([pretrain_settings(plan, wildcards), pretrain_sources(plan, wildcards)])
    return plan.paths.state("pretrain", key[:16])
