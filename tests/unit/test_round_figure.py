from pathlib import Path

import pandas as pd
import pytest

from fedssl.paper.products.product import make
from fedssl.paper.products.rounds_figure import PRODUCT, round_figure, round_matrix, round_scores
from fedssl.paper.style import aggregator_style, figure_style, split_style


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
        (axes,) = round_figure(round_scores(given), given).axes
    baseline, line, star = axes.get_lines()
    assert list(baseline.get_ydata()) == [90.0, 90.0]
    assert list(line.get_ydata()) == [90.0, 6.0, 7.0]
    assert (list(star.get_xdata()), list(star.get_ydata())) == ([4], [7.0])


def test_a_panel_for_each_method_and_task(tmp_path):
    given = spec(
        [
            curve(tmp_path, {0: 5.0, 2: 7.0}, method=method, task=task)
            for method in ("acop", "simclr")
            for task in ("ks2", "dov")
        ]
    )
    with figure_style():
        figure = round_figure(round_scores(given), given)
    assert [axes.get_title() for axes in figure.axes] == ["KS2", "DOV", "", ""]
    rows = [axes.get_ylabel() for axes in figure.axes]
    assert rows == ["ACOP\nR@1 (%)", "", "SimCLR\nR@1 (%)", ""]
    assert "scaled" in figure.get_suptitle()


def test_the_same_scores_give_the_same_files(tmp_path):
    folder = tmp_path / "curves"
    folder.mkdir()
    given = spec([curve(folder, {0: 5.0, 2: 7.0})])
    for name in ("a", "b"):
        make(PRODUCT, given, {k: tmp_path / f"{name}.{k}" for k in ("csv", "pdf", "png", "svg")})
    for kind in ("csv", "pdf", "png", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_no_two_aggregators_look_alike_and_none_like_a_split():
    rules = ["fedavg", "fairavg", "loss", "fedu", "l-dawa"]
    styles = [aggregator_style(name, 0) for name in rules]
    styles += [aggregator_style(f"{name}-bb", 0) for name in rules if name != "fedu"]
    styles.append(aggregator_style("centralised", 0))
    assert len(set(styles)) == 10
    splits = ("a0-i100-b0", "a100-i0-b0", "a0-i0-b100", "a50-i50-b0", "a33-i33-b34")
    assert not {style.color for style in styles} & {split_style(s).color for s in splits}
    assert aggregator_style("l-dawa", 1).dashes != aggregator_style("l-dawa", 2).dashes


@pytest.mark.parametrize("aggregator", ["fedavg", "fedavg-bb"])
def test_backbone_only_keeps_the_colour_of_its_rule(aggregator):
    assert aggregator_style(aggregator, 0).color == aggregator_style("fedavg", 0).color
