from pathlib import Path

import pandas as pd
import pytest

from fedssl.paper.products.product import make
from fedssl.paper.products.rounds_figure import PRODUCT, round_figure, round_matrix, round_scores
from fedssl.paper.style import figure_style


def curve(folder: Path, values: dict[int, float], *, seed: int = 0, task: str = "ks2", **axes: str):
    path = folder / f"{len(list(folder.iterdir()))}.csv"
    rows = [
        {"round": r, "metric": metric, "value": value, "n_eval": 20}
        for r, value in values.items()
        for metric in ("R@1", "R@5")
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    cell = {
        "method": "acop",
        "arch": "resnet18",
        "aggregator": "fedavg",
        "split": "a100-i0-b0",
        "variant": "base",
        **axes,
        "seed": seed,
    }
    return {"cell": cell, "line": cell["aggregator"], "task": task, "path": str(path)}


def spec(curves):
    return {
        "title": "demo",
        "scale": "scaled",
        "scale_note": "demo: made up",
        "methods": {"acop": "ACOP", "simclr": "SimCLR"},
        "tasks": {"ks2": "KS2", "dov": "DOV"},
        "variants": ["base"],
        "curves": curves,
    }


def test_the_matrix_has_a_row_a_round_and_a_column_a_task(tmp_path):
    given = spec([curve(tmp_path, {0: 5.0, 2: 7.0}), curve(tmp_path, {0: 1.0, 2: 3.0}, task="dov")])
    matrix = round_matrix(round_scores(given))
    assert list(matrix.columns) == ["ks2", "dov"]
    assert matrix.index.get_level_values("round").tolist() == [0, 2]
    assert matrix.to_numpy().tolist() == [[5.0, 1.0], [7.0, 3.0]]


def test_lines_are_means_over_seeds_and_the_star_is_their_best_trained_round(tmp_path):
    given = spec(
        [
            curve(tmp_path, {0: 90.0, 2: 10.0, 4: 6.0}),
            curve(tmp_path, {0: 90.0, 2: 2.0, 4: 8.0}, seed=1),
        ]
    )
    with figure_style():
        (axes,) = round_figure(given).axes
    baseline, line, star, *_ = axes.get_lines()
    assert list(baseline.get_ydata()) == [90.0, 90.0]
    assert list(line.get_ydata()) == [90.0, 6.0, 7.0]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([4], [7.0])


@pytest.mark.parametrize(("last", "fill"), [(10.0, "filled"), (45.0, "hollow")])
def test_a_star_is_filled_if_the_last_round_is_below_the_interval(tmp_path, last, fill):
    given = spec([curve(tmp_path, {0: 5.0, 2: 50.0, 4: last})])
    with figure_style():
        (axes,) = round_figure(given).axes
    star = next(line for line in axes.get_lines() if line.get_marker() == "*")
    assert (star.get_markerfacecolor() == "white") == (fill == "hollow")
    # 20 samples: Wilson's interval of 50 % is 29.9 to 70.1.
    (bar,) = axes.collections[0].get_segments()
    assert bar[:, 1].tolist() == pytest.approx([29.9, 70.1], abs=0.05)


def test_a_panel_for_each_method_and_task(tmp_path):
    given = spec(
        [
            curve(tmp_path, {0: 5.0, 2: 7.0}, method=method, task=task)
            for method in ("acop", "simclr")
            for task in ("ks2", "dov")
        ]
    )
    with figure_style():
        figure = round_figure(given)
    assert [axes.get_title() for axes in figure.axes] == ["KS2", "DOV", "", ""]
    rows = [axes.get_ylabel() for axes in figure.axes]
    assert rows == ["ACOP\nR@1, %", "", "SimCLR\nR@1, %", ""]
    assert figure.get_suptitle() == "scaled: not comparable with the paper"


def test_the_same_scores_give_the_same_files(tmp_path):
    folder = tmp_path / "curves"
    folder.mkdir()
    given = spec([curve(folder, {0: 5.0, 2: 7.0})])
    for name in ("a", "b"):
        make(PRODUCT, given, {k: tmp_path / f"{name}.{k}" for k in ("csv", "pdf", "png", "svg")})
    for kind in ("csv", "pdf", "png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
