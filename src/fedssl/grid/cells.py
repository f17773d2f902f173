"""Expand the merged configuration into validated cells and their settings."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.cell import AXES, Cell
from fedssl.grid.checks import check_modalities, check_settings, check_study
from fedssl.grid.configuration import Layer, located, merge, sort_keys
from fedssl.grid.facts import fact, setting
from fedssl.grid.own_studies import without_papers
from fedssl.grid.parts import declared_by
from fedssl.grid.sizes import check_cell, check_evaluation
from fedssl.grid.splits import parse_split
from fedssl.grid.tasks import Pair, Task, read_task
from fedssl.grid.transmission import declared_settings

# Sections of settings that change a random encoder or its scores.
_INITIAL = frozenset({"audio", "encoder", "image"})
# Settings of `federation` that centralised training uses, too.
_BATCHES = ("batch_order", "batch_size")


class Grid:
    """All cells of the merged configuration."""

    def __init__(self, config: Mapping[str, Any], layers: Sequence[Layer]) -> None:
        """Expand the cells of every study; `layers` tell which file sets a value.

        With an own study, the papers' studies are left out.

        Raises:
            UserError: A cell is declared twice, or its settings or parts do not fit together.
        """
        self.config = config = without_papers(config)
        self._layers = layers
        # Ten jobs or more share a cell, and planning asks for the settings of each.
        self._settings: dict[Cell, dict[str, Any]] = {}
        self._tasks: dict[str, list[Task]] = {}
        self._pairs: dict[str, list[Pair]] = {}
        for study, declared in config["studies"].items():
            check_study(config, study, layers)
            self._tasks[study] = [
                read_task(entry, config["datasets"]) for entry in declared["tasks"]
            ]
            self._pairs[study] = [Pair(**entry) for entry in declared.get("pairs", [])]
            check_evaluation(config, layers, tasks=self._tasks[study], pairs=self._pairs[study])
            expanded = [
                (cell, ("studies", study, "cells", place))
                for place, entry in enumerate(declared["cells"])
                for cell in self._expand(study, place, entry)
            ]
            check_modalities(config, study, layers)
            for cell, key in expanded:
                trained = {name: config["datasets"][name] for name in self.datasets(cell).values()}
                check_cell(self.settings(cell), key, layers, cell=cell, datasets=trained)
        self.cells = tuple(self._settings)
        self._study_settings = {
            study: dict(sort_keys(merge(config["settings"], declared.get("settings", {}))))
            for study, declared in config["studies"].items()
        }
        self._varying_axes = {study: self._varying(study) for study in config["studies"]}
        # Sorted once, because the settings of thousands of jobs contain parts of it.
        self.evaluation: Mapping[str, Any] = sort_keys(config["evaluation"])

    @property
    def scale(self) -> dict[str, str]:
        """Whether the run has the paper's scale, and a note on what was scaled."""
        scale = self.config["scale"]
        return {"scale": scale["kind"], "scale_note": scale["note"]}

    def settings(self, cell: Cell) -> dict[str, Any]:
        """Return all settings that the pretraining of a cell depends on; leave them unchanged.

        Settings of a study override the defaults. A variant overrides the study, and an entry of
        `cells` overrides the variant.
        """
        return self._settings[cell]

    def _merged(self, cell: Cell, entry: Mapping[str, Any]) -> dict[str, Any]:
        # Snakemake compares parameters as text, so the keys are sorted at every level.
        config, study = self.config, self.config["studies"][cell.study]
        base = {
            **config["settings"],
            "method": {"name": cell.method, **config["methods"][cell.method]},
            "encoder": {"arch": cell.arch, **config["encoders"][cell.arch]},
            "aggregator": {
                "name": cell.aggregator,
                **declared_settings(config["aggregators"], cell.aggregator),
            },
            "portable": config["portable"],
            "precision": config["precision"],
            "seed": cell.seed,
            "split": cell.split,
        }
        for override in (
            study.get("settings", {}),
            study["variants"][cell.variant],
            entry,
        ):
            base = merge(base, override)
        base["datasets"] = self.datasets(cell)
        if not cell.federated:
            # Without the unused settings, a change of them does not rerun a centralised cell.
            base["federation"] = {key: base["federation"][key] for key in _BATCHES}
            del base["sharding"]
        derived = fact(declared_by("arch", cell.arch), "derived")
        base["encoder"] |= {name: setting(base, key) for name, key in derived.items()}
        return dict(sort_keys(base))

    def study_settings(self, study: str) -> dict[str, Any]:
        """Return the settings of a study without those of variants and entries."""
        return self._study_settings[study]

    def sharding(self, cell: Cell) -> str:
        """Return the wildcard value of a cell's sharding, `dirichlet-{alpha}-{clients}`."""
        settings = self.settings(cell)
        return f"dirichlet-{settings['sharding']['alpha']}-{settings['federation']['clients']}"

    def shardings(self) -> dict[str, dict[str, Any]]:
        """Return the settings of each sharding, by its wildcard value.

        Raises:
            UserError: Two cells share shards but differ in `min_samples`.
        """
        found: dict[str, dict[str, Any]] = {}
        for cell in self.cells:
            if not cell.federated:
                continue
            settings = self.settings(cell)
            name, clients = self.sharding(cell), settings["federation"]["clients"]
            # The wildcard does not contain `min_samples`, so cells with one wildcard must agree.
            own = sort_keys({**settings["sharding"], "clients": clients})
            if found.setdefault(name, own) != own:
                raise UserError(
                    f"{cell.path} has sharding.min_samples {own['min_samples']}, and another cell "
                    f"of {name} has {found[name]['min_samples']}; cells with the same alpha and "
                    "number of clients share their shards, so make them equal."
                )
        return found

    def datasets(self, cell: Cell) -> dict[str, str]:
        """Return the pretraining dataset of each modality that the cell's split uses."""
        study = self.config["studies"][cell.study]
        declared = {**study["datasets"], **study["variants"][cell.variant].get("datasets", {})}
        used = parse_split(cell.split).modalities
        return {modality: declared[modality] for modality in used if declared.get(modality)}

    def tasks(self, study: str) -> list[Task]:
        """Return a study's downstream tasks in declared order."""
        return list(self._tasks[study])

    def first_splits(self, study: str) -> list[Task]:
        """Return the tasks that averages cover: the first declared split of each dataset."""
        found: dict[str, Task] = {}
        for task in self.tasks(study):
            found.setdefault(task.dataset, task)
        return list(found.values())

    def task_names(self) -> set[str]:
        """Return all valid names of tasks: the datasets, and the names that studies declare."""
        declared = (entry for study in self.config["studies"].values() for entry in study["tasks"])
        return {*self.config["datasets"], *(entry["task"] for entry in declared)}

    def task(self, study: str, name: str) -> Task:
        """Return a task of a study by its name."""
        return next(task for task in self._tasks[study] if task.task == name)

    def first_task(self, study: str, name: str) -> Task:
        """Return the first declared task on the dataset of a task."""
        dataset = self.task(study, name).dataset
        return next(task for task in self.tasks(study) if task.dataset == dataset)

    def pair_names(self) -> list[str]:
        """Return the names of all paired tasks, sorted."""
        return sorted({pair.pair for study in self.config["studies"] for pair in self.pairs(study)})

    def pairs(self, study: str) -> list[Pair]:
        """Return a study's paired tasks in declared order."""
        return list(self._pairs[study])

    def pair(self, study: str, name: str) -> Pair:
        """Return a paired task of a study by its name."""
        return next(pair for pair in self.pairs(study) if pair.pair == name)

    def select(self, **axes: Any) -> list[Cell]:
        """Return the cells with the given values of axes, for example arch="vit"."""
        # Sets of items are compared in C: a plan selects among all cells thousands of times.
        wanted = axes.items()
        return [cell for cell in self.cells if wanted <= vars(cell).items()]

    def keeps_rounds(self, cell: Cell) -> bool:
        """Return whether a cell keeps models of some of its rounds."""
        return bool(self.settings(cell)["federation"].get("kept_rounds"))

    def initial_variant(self, cell: Cell) -> str:
        """Return the variant in the path of a cell's random encoder.

        This is "base", unless the variant changes the encoder or the views that it is shown.
        """
        variant = self.config["studies"][cell.study]["variants"][cell.variant]
        return cell.variant if variant.keys() & _INITIAL else "base"

    def values(self, axis: str) -> list[str]:
        """Return the values that the cells have on an axis, sorted."""
        return sorted({str(getattr(cell, axis)) for cell in self.cells})

    def varying_axes(self, study: str) -> list[str]:
        """Return the axes, apart from the seed, on which a study's cells differ."""
        return list(self._varying_axes[study])

    def not_comparable(self, study: str) -> dict[str, str]:
        """Return task or pair -> why its data are not those of the paper."""
        found = [(task.task, task.not_comparable) for task in self.tasks(study)]
        found += [(pair.pair, pair.not_comparable) for pair in self.pairs(study)]
        return {name: reason for name, reason in found if reason}

    def _varying(self, study: str) -> list[str]:
        cells = self.select(study=study)
        return [axis for axis in AXES if len({getattr(cell, axis) for cell in cells}) > 1]

    def _expand(self, study: str, place: int, entry: Mapping[str, Any]) -> Iterator[Cell]:
        key = ("studies", study, "cells", place)
        where, variants = located(key, self._layers), self.config["studies"][study]["variants"]
        # The path of a random encoder has a variant and no entry, so only a variant may change it.
        if unnamed := sorted(entry.get("settings", {}).keys() & _INITIAL):
            raise UserError(
                f"{where}.settings.{unnamed[0]} changes the random encoder that gains are measured "
                f"from; declare it in one of studies.{study}.variants instead."
            )
        for values in itertools.product(*(entry[axis] for axis in AXES), self.config["seeds"]):
            cell = Cell(study, *values)
            if cell in self._settings:
                raise UserError(f"{where} declares {cell.path} a second time; remove one of them.")
            if cell.variant not in variants:
                known = ", ".join(variants)
                raise UserError(f"{where}.variant names {cell.variant!r}; declared are {known}.")
            try:
                parse_split(cell.split)
            except UserError as error:
                raise UserError(f"{where}: {error}") from error
            self._settings[cell] = settings = self._merged(cell, entry.get("settings", {}))
            check_settings(settings, key, self._layers, cell=cell)
            yield cell
