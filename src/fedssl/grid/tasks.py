"""The downstream tasks of a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A downstream task: a split of a dataset, which is scored."""

    task: str
    dataset: str
    split: str
    modality: str
    title: str
    not_comparable: str = ""


def read_task(entry: Mapping[str, Any], datasets: Mapping[str, Any]) -> Task:
    """Return the task that an entry of a study's `tasks` declares."""
    name, split = entry["task"], entry["split"]
    dataset = entry.get("dataset")
    declared = datasets[dataset or name]
    title = f"{declared['title']}, {split}" if dataset else declared["title"]
    modality, reason = declared["modality"], entry.get("not_comparable", "")
    return Task(name, dataset or name, split, modality, title, reason)


@dataclass(frozen=True)
class Pair:
    """A paired task: images and sounds that are matched by name or label; `split` is scored."""

    pair: str
    image: str
    audio: str
    split: str
    by: str
    not_comparable: str = ""
