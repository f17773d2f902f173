"""Check the declarations of a study and the settings of its cells.

The JSON schema covers types and ranges. These checks compare several parts of the configuration.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.cell import Cell
from fedssl.grid.configuration import Key, Layer, closest, located
from fedssl.grid.facts import fact, misfits
from fedssl.grid.forms import form
from fedssl.grid.mistakes import find_mistakes
from fedssl.grid.origins import sentence, setter
from fedssl.grid.parts import AXES, declared_by
from fedssl.grid.splits import MODALITIES, parse_split
from fedssl.grid.transmission import parse_name


def check_study(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError unless a study's parts, datasets, tasks and pairs exist and fit together."""
    _check_parts(config, study, layers)
    _check_datasets(config, study, layers)
    _check_tasks(config, study, layers)
    _check_pairs(config, study, layers)


def check_modalities(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError if a study's cells or tasks need a modality that it has no dataset of.

    The splits of the cells must be valid.
    """
    declared = config["studies"][study]["datasets"]
    for modality, user in _needed_modalities(config, study):
        if declared.get(modality) is None:
            raise UserError(
                f"{located(('studies', study, 'datasets'), layers)} lacks {modality}, which {user} "
                f"needs; add {modality}: and the name of a dataset."
            )


def check_settings(
    settings: Mapping[str, Any], entry: Key, layers: Sequence[Layer], *, cell: Cell
) -> None:
    """Raise UserError if the merged settings of a cell do not fit its parts.

    `entry` declares the cell. Each part declares its own settings and facts.
    """
    for axis, part in AXES.items():
        key, own = part.key, dict(settings[part.key])
        name = own.pop(part.name_key)
        declared = declared_by(axis, name)
        # The configuration does not contain derived settings, so the form does not have them.
        for derived in fact(declared, "derived"):
            del own[derived]
        # Settings are complete here, so a default does not make a key optional.
        wrong = find_mistakes(form(declared, "all"), own)
        found = [((key, *mistake.key), mistake.text) for mistake in wrong]
        found = found or list(misfits(name, declared, settings, key=key))
        if found:
            said = (_of_cell(place, text, entry, layers, cell=cell) for place, text in found)
            raise UserError("\n".join(said))


def _of_cell(key: Key, text: str, entry: Key, layers: Sequence[Layer], *, cell: Cell) -> str:
    """Return the message about a setting of a cell, or about one of its axes."""
    place = (*entry, *key) if len(key) == 1 else setter(cell, entry, key, layers)
    return sentence(place, f"{text}, in {cell.path}", layers)


def _check_parts(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError for a part that has no section with its settings."""
    for place, entry in enumerate(config["studies"][study]["cells"]):
        for axis, part in AXES.items():
            for name in entry[axis]:
                rule, _ = parse_name(name)
                if rule not in config[part.section]:
                    key = ("studies", study, "cells", place, axis)
                    raise UserError(
                        f"{located(key, layers)} names {name!r}, which has no settings; add "
                        f"{part.section}.{rule}, {{}} if it has none."
                    )


def _check_datasets(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError for a dataset of a study or of a variant that is not declared."""
    own: Key = ("studies", study)
    declared = {own: config["studies"][study]}
    for variant, settings in config["studies"][study]["variants"].items():
        declared[*own, "variants", variant] = settings
    for key, settings in declared.items():
        for modality, name in settings.get("datasets", {}).items():
            known = [n for n, e in config["datasets"].items() if e["modality"] == modality]
            if name is not None and name not in known:
                raise UserError(
                    f"{located((*key, 'datasets', modality), layers)} names {name!r}, "
                    f"which is no {modality} dataset{closest(name, known)}; "
                    f"there are {', '.join(known)}."
                )


def _needed_modalities(config: Mapping[str, Any], study: str) -> Iterator[tuple[str, str]]:
    """Yield a modality that a study must have a pretraining dataset of, and what needs it."""
    own = config["studies"][study]
    for entry in own["cells"]:
        for split, variant in itertools.product(entry["split"], entry["variant"]):
            named = own["variants"].get(variant, {}).get("datasets", {})
            for modality in parse_split(split).modalities:
                if modality not in named:
                    yield modality, f"the split {split}"
    # Sounds of tasks are scaled by the statistics of the pretraining sounds.
    for task in own["tasks"] if own["cells"] else ():
        entry = config["datasets"].get(task.get("dataset", task["task"]), {})
        if entry.get("modality") == "audio":
            yield "audio", f"the task {task['task']}"
    for pair in own.get("pairs") or () if own["cells"] else ():
        yield "audio", f"the pair {pair['pair']}"


def _check_tasks(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    datasets = config["datasets"]
    names: set[str] = set()
    for place, task in enumerate(config["studies"][study]["tasks"]):
        key = located(("studies", study, "tasks", place), layers)
        if task["task"] in names:
            raise UserError(
                f"{key}.task is {task['task']!r} a second time; give another split of it a name of "
                f"its own, and dataset: {task.get('dataset', task['task'])}."
            )
        names.add(task["task"])
        _check_task(datasets, task, key)


def _check_task(datasets: Mapping[str, Any], task: Mapping[str, Any], key: str) -> None:
    """Raise UserError unless a task is named as its dataset, or gives both with two names."""
    field = "dataset" if "dataset" in task else "task"
    if (name := task[field]) not in datasets:
        raise UserError(
            f"{key}.{field} names {name!r}, which is no dataset{closest(name, datasets)}."
        )
    if field == "dataset" and task["task"] in datasets:
        raise UserError(
            f"{key}.task is {task['task']!r}, the name of a dataset; a split of {name} needs a "
            "name of its own."
        )
    if task["split"] not in (splits := datasets[name]["splits"]):
        raise UserError(f"{key}.split is {task['split']!r}; {name} has {', '.join(splits)}.")
    _check_scored(task["split"], key)


def _check_scored(split: str, key: str) -> None:
    """Raise UserError if a task would score its training samples."""
    # They are the memory of kNN and retrieval, and what probes are trained on: each query would be
    # its own nearest neighbour.
    if split == "train":
        raise UserError(
            f"{key}.split is 'train', the samples that every score learns from; score another "
            "split, such as test or validation."
        )


def _check_pairs(config: Mapping[str, Any], study: str, layers: Sequence[Layer]) -> None:
    """Raise UserError unless each paired task has a unique name and fits its datasets."""
    tasks = (task["task"] for task in config["studies"][study]["tasks"])
    names = [*config["datasets"], *tasks]
    for place, pair in enumerate(config["studies"][study].get("pairs", [])):
        key = located(("studies", study, "pairs", place), layers)
        if pair["pair"] in names:
            raise UserError(
                f"{key}.pair is {pair['pair']!r}, the name of a dataset, a task or another pair; a "
                "pair needs a name of its own."
            )
        names.append(pair["pair"])
        _check_scored(pair["split"], key)
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
