"""Every figure of the papers' grids has the size of a column, and texts that can be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from fedssl.grid.plan import Plan
from fedssl.paper.products.registry import get_product, products
from fedssl.paper.style import COLUMN, PAGE, figure_style
from tests.unit.drawn_text import cut_off, overlapping, placed_texts
from tests.unit.figures import shipped_plan
from tests.unit.made_up_figures import make_up_inputs

_HIGHEST = 9.0  # inches: the text of a page


def figures(plan: Plan) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in products(plan) if get_product(kind).draw]


def drawn(kind: str, name: str, plan: Plan) -> Iterator[Figure]:
    product = get_product(kind)
    spec = product.spec(plan, name)
    make_up_inputs(kind, spec)
    assert product.draw is not None
    with figure_style():
        yield product.draw.figure(spec)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


GRIDS = ("paper", "mini.yaml", "demo.yaml")
FIGURES = [
    (grid, kind, name)
    for grid in GRIDS
    for kind, name in figures(shipped_plan(*([] if grid == "paper" else [grid])))
]


@pytest.mark.parametrize(("grid", "kind", "name"), FIGURES)
def test_texts_are_on_the_canvas_and_not_over_each_other(
    grid: str, kind: str, name: str, folder: Path
) -> None:
    names = [] if grid == "paper" else [grid]
    plan = shipped_plan(*names, results=str(folder / grid / kind))
    for figure in drawn(kind, name, plan):
        assert figure.get_figwidth() in (COLUMN, PAGE)
        assert figure.get_figheight() <= _HIGHEST
        assert cut_off(figure) == []
        assert overlapping(figure) == []
        sizes = {placed.size for placed in placed_texts(figure)}
        assert min(sizes) >= 7 and max(sizes) <= 9
