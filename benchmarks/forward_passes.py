"""How often FASSL's scores embed a sample: `python benchmarks/forward_passes.py`.

Counted from the shipped grid. Before, each job embedded the training split and the scored split of
its task for each of its models. Now `evaluate` scores the first and the last model, the tasks on a
dataset share the features of its training split, and cells share the scores of equal backbones.
Each pass that remains embeds a sample with a backbone that no other pass embeds it with, so nothing
is left to share without scoring fewer rounds or samples.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from fedssl.command.project import open_project
from fedssl.grid.cell import Cell
from fedssl.grid.cells import Grid

# Only the bank counts this training split; the usual figure.
UNCOUNTED = {("epic-sounds", "train"): 60_055}
Passes = dict[tuple[object, ...], int]


def size(grid: Grid, dataset: str, split: str) -> int:
    """Return the number of samples of a split."""
    declared = grid.config["datasets"][dataset]["splits"][split]
    return declared if declared is not None else UNCOUNTED[dataset, split]


def scored_cells(grid: Grid) -> Iterator[Cell]:
    """Yield the cells whose kept rounds are scored."""
    for study, content in grid.config["studies"].items():
        if content.get("score_rounds"):
            yield from (cell for cell in grid.select(study=study) if grid.keeps_rounds(cell))


def backbone(grid: Grid, cell: Cell, round_number: int) -> tuple[object, ...]:
    """Return what tells the backbone of a cell's round from others (see `round_models`)."""
    settings, name = grid.settings(cell), cell.aggregator
    if round_number <= settings["aggregator"].get("warmup_rounds", 0):
        name = name.replace("l-dawa", "fedavg")
    if round_number == 1:
        name = name.removesuffix("-bb").replace("fedu", "fedavg")
    return cell.study, cell.method, cell.arch, name, cell.split, cell.variant, cell.seed


def before(grid: Grid) -> Passes:
    """Return the passes of each job's models over each split, by what tells them apart."""
    found: Passes = {}
    for cell in scored_cells(grid):
        for task in grid.tasks(cell.study):
            for round_number in grid.settings(cell)["federation"]["kept_rounds"]:
                for split in ("train", task.split):
                    key = (cell, task.task, round_number, split)
                    found[key] = size(grid, task.dataset, split)
    return found


def now(grid: Grid) -> Passes:
    """Return the same with all sharing."""
    found: Passes = {}
    for cell in scored_cells(grid):
        federation = grid.settings(cell)["federation"]
        evaluated = {0, federation["rounds"]}
        for round_number in sorted(set(federation["kept_rounds"]) - evaluated):
            for task in grid.tasks(cell.study):
                for split in ("train", task.split):
                    own = backbone(grid, cell, round_number)
                    key = (own, task.dataset, round_number, split)
                    found[key] = size(grid, task.dataset, split)
    return found


def evaluation(grid: Grid) -> int:
    """Return the passes of `evaluate` in the studies whose rounds are scored."""
    total = 0
    for study in {cell.study for cell in scored_cells(grid)}:
        cells = grid.select(study=study)
        models = len(cells) + len({cell.random_init_path for cell in cells})
        for task in grid.tasks(study):
            total += models * sum(size(grid, task.dataset, s) for s in ("train", task.split))
    return total


def main() -> None:
    """Print the passes before and now."""
    grid = open_project([]).grid
    first, second, scores = sum(before(grid).values()), sum(now(grid).values()), evaluation(grid)
    print(f"score_rounds, before                {first / 1e6:8.1f} million passes")
    print(f"score_rounds, now                   {second / 1e6:8.1f}  {second / first:.1%}")
    print(f"evaluate of the same studies        {scores / 1e6:8.1f}")
    print(f"both, before                        {(first + scores) / 1e6:8.1f}")
    both = (second + scores) / (first + scores)
    print(f"both, now                           {(second + scores) / 1e6:8.1f}  {both:.1%}")


if __name__ == "__main__":
    main()
