"""The downstream tasks of a study."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A downstream task: a split of a dataset, which is scored."""

    task: str
    dataset: str
    split: str
    modality: str
    title: str
    not_comparable: str = ""


@dataclass(frozen=True)
class Pair:
    """A paired task: images and sounds that are matched by name or label; `split` is scored."""

    pair: str
    image: str
    audio: str
    split: str
    by: str
    not_comparable: str = ""
