"""Checking what a study declares, one sentence a mistake."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.configuration import Layer, closest, origin
from fedssl.errors import UserError
from fedssl.splits import MODALITIES, parse_split


def check_study(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError unless a study's datasets, tasks and pairs are there and fit."""
    _check_datasets(config, study, layers)
    _check_tasks(config, study, layers)
    _check_pairs(config, study, layers)


def check_settings(settings: Mapping[str, Any], place: str, *, cell: str) -> None:
    """Raise UserError where a cell's settings do not fit together; `place` says where they are."""
    modalities = parse_split(settings["split"]).modalities
    if settings["method"]["name"] == "acop" and modalities != ("audio",):
        raise UserError(
            f"{place}: acop orders audio clips, so its split is a100-i0-b0, not "
            f"{settings['split']}."
        )
    rounds = settings["federation"].get("rounds", 0)
    if late := [r for r in settings["federation"].get("kept_rounds", []) if r > rounds]:
        raise UserError(
            f"{place}: {cell} keeps round {late[0]} (federation.kept_rounds) of {rounds} rounds; "
            "name rounds from 0 to that."
        )
    sizes = settings["image"]["size"], settings["audio"]["size"]
    if settings["encoder"]["arch"] == "vit" and sizes[0] != sizes[1]:
        raise UserError(
            f"{place}: a ViT has one input size, but image.size is {sizes[0]} and audio.size "
            f"{sizes[1]}; make them equal."
        )


def _check_datasets(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    for modality, name in config["studies"][study]["datasets"].items():
        datasets = config["datasets"].items()
        known = [n for n, entry in datasets if entry["modality"] == modality]
        if name not in known:
            source = origin(("studies", study, "datasets", modality), layers)
            raise UserError(
                f"{source}: studies.{study}.datasets.{modality} names {name!r}, which is no "
                f"{modality} dataset{closest(name, known)}; there are {', '.join(known)}."
            )


def _check_tasks(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    datasets = config["datasets"]
    for place, task in enumerate(config["studies"][study]["tasks"]):
        key = f"studies.{study}.tasks[{place}]"
        source = origin(("studies", study, "tasks", place), layers)
        if task["task"] not in datasets:
            hint = closest(task["task"], datasets)
            raise UserError(
                f"{source}: {key}.task names {task['task']!r}, which is no dataset{hint}."
            )
        splits = datasets[task["task"]]["splits"]
        if task["split"] not in splits:
            known = ", ".join(splits)
            raise UserError(
                f"{source}: {key}.split is {task['split']!r}; {task['task']} has {known}."
            )


def _check_pairs(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError unless each pair of a study has its own name and fits its datasets."""
    names = list(config["datasets"])
    for place, pair in enumerate(config["studies"][study].get("pairs", [])):
        source = origin(("studies", study, "pairs", place), layers)
        key = f"{source}: studies.{study}.pairs[{place}]"
        if pair["pair"] in names:
            raise UserError(
                f"{key}.pair is {pair['pair']!r}, the name of a dataset or of another pair; a pair "
                "needs its own."
            )
        names.append(pair["pair"])
        for modality in MODALITIES:
            _check_dataset(config["datasets"], pair, modality, key)


def _check_dataset(
    datasets: Mapping[str, Any], pair: Mapping[str, str], modality: str, key: str
) -> None:
    name = pair[modality]
    if name not in datasets:
        hint = closest(name, datasets)
        raise UserError(f"{key}.{modality} names {name!r}, which is no dataset{hint}.")
    if (found := datasets[name]["modality"]) != modality:
        raise UserError(f"{key}.{modality} names {name!r}, a dataset of modality {found}.")
    for split in ("train", pair["split"]):
        if split not in datasets[name]["splits"]:
            known = ", ".join(datasets[name]["splits"])
            raise UserError(f"{key} needs the split {split!r} of {name}, which has {known}.")
