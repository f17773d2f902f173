"""The tables of accuracies of users' own studies, which no configuration declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fedssl.grid.own_studies import is_own
from fedssl.grid.paths import FEATURE_PROTOCOLS
from fedssl.paper.names import word
from fedssl.paper.rows import by_axes, label

if TYPE_CHECKING:
    from fedssl.grid.cells import Grid

_INPUTS = {"av": "image+audio", "v": "image", "a": "audio"}


def table_name(study: str) -> str:
    """Return the name of the table of accuracies of an own study."""
    return f"{study}_accuracies"


def get_table(grid: Grid, name: str) -> Mapping[str, Any]:
    """Return a declared table, or the table of accuracies of an own study."""
    declared: Mapping[str, Mapping[str, Any]] = grid.config["tables"]
    if name in declared:
        return declared[name]
    return accuracies(grid, next(s for s in grid.config["studies"] if table_name(s) == name))


def accuracies(grid: Grid, study: str) -> dict[str, Any]:
    """Return a table with all cells of a study, and the encoders before training, on each task.

    Its keys are those of `fedssl.paper.settings.Table`.
    """
    pairs = [pair.pair for pair in grid.pairs(study)]
    return {
        "study": study,
        "table": "accuracies",
        "title": "Accuracy on each task",
        # Fine-tuning takes as long as pretraining, so only a declared table asks for it.
        "protocols": [*FEATURE_PROTOCOLS, *(["transfer"] if pairs else [])],
        "columns": [*_task_columns(grid, study), *_pair_columns(pairs)],
        "rows": [*_trained(grid, study), *_untrained(grid, study)],
    }


def _task_columns(grid: Grid, study: str) -> Iterator[dict[str, Any]]:
    tasks = grid.tasks(study)
    titles = Counter(task.title for task in tasks)
    for protocol in FEATURE_PROTOCOLS:
        for task in tasks:
            # Two datasets may have one title, and two columns may not.
            title = task.title if titles[task.title] == 1 else task.task
            yield {"column": title, "tasks": [task.task], "protocol": protocol}


def _pair_columns(pairs: Iterable[str]) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        for name, shown in _INPUTS.items():
            column = {"column": f"{pair} {shown}", "tasks": [pair], "input": name}
            yield {**column, "protocol": "knn"}
        yield {"column": pair, "tasks": [pair], "protocol": "transfer"}


def _trained(grid: Grid, study: str) -> Iterator[dict[str, Any]]:
    for seeds in by_axes(grid, study):
        yield {"row": label(grid, seeds[0]), **seeds[0].axes}


def _untrained(grid: Grid, study: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each encoder before training; a variant may have one of its own."""
    cells = grid.select(study=study)
    starts = dict.fromkeys((cell.arch, grid.initial_variant(cell)) for cell in cells)
    several = len({arch for arch, _ in starts}) > 1
    for arch, variant in starts:
        named = [word(arch) if several else "", "" if variant == "base" else variant]
        name = " ".join(filter(None, ["random init", *named]))
        axes = {} if variant == "base" else {"variant": variant}
        yield {"row": name, "arch": arch, **axes, "random_init": True}


def own_names(studies: Iterable[str]) -> dict[str, str]:
    """Return name -> study of the tables of accuracies of those of the studies that are own."""
    return {table_name(study): study for study in studies if is_own(study)}
