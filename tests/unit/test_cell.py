"""A cell: its path is read back, and is the pattern of the rules that write below it."""

from types import SimpleNamespace

import pytest

from fedssl.errors import UserError
from fedssl.grid.cell import ALL_AXES, Cell
from fedssl.grid.paths import ResultPaths
from tests.unit.figures import shipped

CELL = Cell("fssuavl", "simclr", "vit", "l-dawa-bb", "a33-i33-b34", "e10", seed=12)


def test_a_path_is_read_back() -> None:
    assert CELL.path == "fssuavl/simclr/vit/l-dawa-bb/a33-i33-b34/e10/seed12"
    assert Cell.parse(CELL.path) == CELL
    assert len(CELL.segments) == len(ALL_AXES)


@pytest.mark.parametrize(
    "path", ["", "a/b/seed0", f"{CELL.path}/x", f"x/{CELL.path}", CELL.path[:-2], CELL.path + "a"]
)
def test_another_path_is_no_cell(path: str) -> None:
    with pytest.raises(
        UserError, match=r"is not a cell; the form of a cell is <study>/<method>/.*/seed<n>\."
    ):
        Cell.parse(path)


def test_wildcards_of_a_job_are_its_cell() -> None:
    wildcards = SimpleNamespace(**{axis: str(getattr(CELL, axis)) for axis in ALL_AXES}, task="x")
    assert Cell.of(wildcards) == CELL


def test_a_pattern_filled_in_is_the_path() -> None:
    out, tree, given = ResultPaths("<results>"), ResultPaths("r"), CELL.all_axes | {"task": "mnist"}
    for pattern, path in (
        (out.model(Cell.pattern()), tree.model(CELL)),
        (out.metric(Cell.pattern(), "{task}", "knn"), tree.metric(CELL, "mnist", "knn")),
        (
            out.random_init_metric(Cell.pattern(), "{task}", "knn"),
            tree.random_init_metric(CELL, "mnist", "knn"),
        ),
    ):
        assert pattern.replace("<results>", "r").format(**given) == path


def test_cells_are_told_apart_by_the_axes_that_vary() -> None:
    grid, _ = shipped()
    for study in ("fssuavl", "fassl"):
        cells, varying = grid.select(study=study), grid.varying_axes(study)
        for axis in CELL.axes:
            assert (len({getattr(cell, axis) for cell in cells}) > 1) == (axis in varying)
