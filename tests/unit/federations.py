"""A small federation on made-up archives, for tests."""

import copy
import csv
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.made_up.archives import write_archives
from fedssl.data.sharding import write_shards
from fedssl.federation import rounds
from fedssl.federation.settings import FederatedSettings
from fedssl.typed import typed
from fedssl.views.statistics import write_statistics

SETTINGS = {
    "aggregator": {"name": "fedavg"},
    "audio": {
        "sample_rate": 16000,
        "crop_seconds": 0.5,
        "n_fft": 512,
        "window": 400,
        "hop": 500,
        "mels": 32,
        "log_floor": 1e-6,
        "size": 32,
        "statistics_clips": 64,
        "normalisation": "dataset",
    },
    "augmentation": {
        "image": {
            "crop_scale": [0.2, 1.0],
            "jitter": [0.4, 0.4, 0.4, 0.1],
            "jitter_probability": 0.8,
            "grey_probability": 0.2,
            "blur_sigma": [0.1, 2.0],
            "blur_probability": 0.5,
        },
        "audio": {
            "frequency_crop": [0.8, 1.0],
            "time_crop": [0.6, 1.0],
            "frequency_mask": 0.2,
            "time_mask": 0.2,
            "noise": 0.1,
        },
    },
    "encoder": {"arch": "resnet18", "width": 8, "embedding_dim": 16},
    "federation": {
        "clients": 4,
        "fraction": 0.5,
        "rounds": 4,
        "local_epochs": 2,
        "batch_size": 8,
        "batch_order": "alternate",
        "client_heads": "persist",
        "kept_rounds": [0, 2],
    },
    "image": {"size": 32, "mean": [0.5] * 3, "std": [0.25] * 3},
    "method": {"name": "simclr", "temperature": 0.5},
    "optimiser": {
        "lr": 0.03,
        "schedule": "cosine-local",
        "momentum": 0.9,
        "weight_decay": 1e-4,
    },
    "portable": False,
    "precision": "fp32",
    "seed": 0,
    "sharding": {"alpha": 1.0, "min_samples": 2},
    "split": "a0-i0-b100",
    "threads": 1,
}


def federated(settings: Mapping[str, Any]) -> FederatedSettings:
    """Return the settings of a federated cell as its job has them."""
    return typed(FederatedSettings, settings)


def with_faults(faults: Mapping[str, Any]) -> dict[str, Any]:
    """Return `SETTINGS` with faults of clients."""
    return {**SETTINGS, "federation": {**SETTINGS["federation"], "faults": faults}}  # type: ignore[dict-item]


def sized(sizes: Sequence[int]) -> list[np.ndarray]:
    """Return consecutive samples of each client."""
    return [np.arange(low, high) for low, high in pairwise(np.cumsum([0, *sizes]))]


def lay_out(folder: Path) -> dict[str, str]:
    """Write banks, shards and statistics of made-up archives, as the workflow lays them out."""
    plans = {
        "image": ("cifar10", "batches", 10, {"train": 60, "test": 20}),
        "audio": ("fsdd", "recordings", 10, {"train": 60, "test": 20}),
    }
    found = {}
    for modality, (dataset, key, classes, splits) in plans.items():
        archives = {key: folder / dataset}
        write_archives(dataset, archives, classes=classes, splits=splits, seed=0)
        entry = {"classes": classes, "splits": splits, "max_bad_share": 0.0}
        build_bank(dataset, archives, folder / modality, entry=entry)
        bank = open_bank(folder / modality)
        sharding = SETTINGS["sharding"] | {"clients": 4}
        write_shards(bank, folder / f"{modality}.json", sharding=sharding, seed=0)
        found[f"{modality}_bank"] = str(folder / modality / "bank.json")
        found[f"{modality}_shards"] = str(folder / f"{modality}.json")
    write_statistics(
        open_bank(folder / "audio"), folder / "statistics.json", audio=SETTINGS["audio"]
    )
    return found | {"normalisation": str(folder / "statistics.json")}


def run(inputs: dict[str, str], folder: Path, *, clients: int = 1, **changes: object) -> Path:
    """Pretrain `SETTINGS` with `changes`, `clients` of a round in parallel."""
    settings = copy.deepcopy(SETTINGS) | changes
    rounds.pretrain(
        settings,
        inputs=inputs,
        clients=clients,
        checkpoints=str(folder / "state"),
        model=str(folder / "model.safetensors"),
        rounds=str(folder / "rounds.csv"),
        milestones=str(folder / "milestones"),
    )
    return folder / "model.safetensors"


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "rounds.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
