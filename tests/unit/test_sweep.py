"""Figures that draw tables as curves."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fedssl.errors import UserError
from fedssl.paper.palette import modality_style
from fedssl.paper.products.sweep_figure import PRODUCT, sweep_figure
from fedssl.paper.style import figure_style
from fedssl.paper.tables import COLUMNS
from tests.unit.figures import outputs, same_bytes_in_another_process

NAN = math.nan
SPEC: dict[str, Any] = {
    "title": "fssuavl, figure 4: accuracy",
    "scale": "scaled",
    "scale_note": "mini: 20 clients",
    "published": [],
    "lines": [
        {"column": "Avg. audio kNN", "modality": "audio", "tasks": "Speech, Noise"},
        {"column": "Avg. image kNN", "modality": "image", "tasks": "Photos"},
    ],
    "panels": [
        {
            "title": "images on all clients",
            "x": "clients that hold audio too, %",
            # In no order: the axis sorts them.
            "rows": {"b50": 50, "b0": 0, "b30": 30, "b100": 100},
            "references": ["random init"],
            "published": [],
        }
    ],
}


def table(**measured: float) -> pd.DataFrame:
    """Return a table whose image column is ten points above its audio column."""
    records = [
        {"row": row, "column": column, "measured": value + above}
        | {"low": value + above - width, "high": value + above + width}
        for above, column, width in ((0, "Avg. audio kNN", 2.0), (10, "Avg. image kNN", NAN))
        for row, value in measured.items()
    ]
    return pd.DataFrame(records, columns=list(COLUMNS))


def on_file(folder: Path, *frames: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    """Return the spec of a figure with a panel for each table, which is written as CSV."""
    panels = []
    for place, frame in enumerate(frames or [table(b0=20.0, b100=40.0)]):
        path = folder / f"table{place}.csv"
        frame.to_csv(path, index=False)
        panels.append({**SPEC["panels"][0], "csv": str(path), **changes})
    return {**SPEC, "panels": panels}


def drawn(folder: Path, frame: pd.DataFrame) -> dict[str, Any]:
    with figure_style():
        (axes,) = sweep_figure(on_file(folder, frame)).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    return {"axes": axes, **lines}


def test_points_are_rows_by_their_percentage_and_gaps_are_no_zeros(tmp_path):
    found = drawn(tmp_path, table(b0=20.0, b100=40.0, b50=30.0, b30=NAN))
    audio = found["audio tasks: Speech, Noise"]
    assert list(audio.get_xdata()) == pytest.approx([0.8, 30.8, 50.8, 100.8])
    assert list(audio.get_ydata()) == pytest.approx([20, NAN, 30, 40], nan_ok=True)
    image = found["image tasks: Photos"]
    assert list(image.get_ydata()) == pytest.approx([30, NAN, 40, 50], nan_ok=True)
    assert list(found["axes"].get_xticks()) == [0, 30, 50, 100]
    assert audio.get_color() == modality_style("audio").color != image.get_color()
    assert audio.get_marker() != image.get_marker()


def test_bars_are_the_intervals_where_there_is_one(tmp_path):
    axes = drawn(tmp_path, table(b0=20.0, b100=40.0))["axes"]
    drawn_bars = (segment for part in axes.collections for segment in part.get_segments())
    bars = [segment[:, 1].tolist() for segment in drawn_bars if len(segment)]
    known = [bar for bar in bars if not any(map(math.isnan, bar))]
    assert sorted(known) == [[18.0, 22.0], [38.0, 42.0]]


def test_no_line_crosses_what_was_not_run(tmp_path):
    """Two measured ends of a grid of four: two marks and no line."""
    audio = drawn(tmp_path, table(b0=20.0, b100=40.0))["audio tasks: Speech, Noise"]
    values = list(audio.get_ydata())
    joined = [pair for pair in pairwise(values) if not any(map(math.isnan, pair))]
    assert sum(not math.isnan(value) for value in values) == 2 and not joined
    assert audio.get_marker() not in ("", "None", None)


def test_random_init_is_a_line_across(tmp_path):
    frame = table(b0=20.0, b100=40.0, **{"random init": 15.0})
    found = drawn(tmp_path, frame)
    assert list(found["audio tasks: random init"].get_ydata()) == [15.0, 15.0]
    assert list(found["image tasks: random init"].get_ydata()) == [25.0, 25.0]
    # It is no point of the curve.
    assert 15.0 not in list(found["audio tasks: Speech, Noise"].get_ydata())


def test_a_panel_without_a_number_is_refused(tmp_path):
    with pytest.raises(UserError, match="images on all clients: no row of Avg"):
        drawn(tmp_path, table(b0=NAN))


def test_bars_of_the_two_modalities_do_not_cover_each_other(tmp_path):
    found = drawn(tmp_path, table(b0=20.0, b100=40.0))
    lines = (found["audio tasks: Speech, Noise"], found["image tasks: Photos"])
    audio, image = (list(line.get_xdata()) for line in lines)
    assert not set(audio) & set(image)


def test_a_published_number_is_a_hollow_mark_at_its_row(tmp_path):
    numbers = tmp_path / "published.csv"
    numbers.write_text(
        "study,table,row,column,protocol,value,page,note\ndemo,2,Ours,Avg.,knn,33.5,3,\n"
    )
    keys = [["demo", "2", "Ours", "Avg.", "knn"], ["demo", "2", "Theirs", "Avg.", "knn"]]
    points = [{"row": "b100", "column": "Avg. audio kNN", "keys": keys}]
    spec = on_file(tmp_path, published=points) | {"published": [str(numbers)]}
    with figure_style():
        (axes,) = sweep_figure(spec).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    mark = lines["audio tasks: published"]
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([100.8], [33.5])
    assert mark.get_markerfacecolor() == "none"
    assert "image tasks: published" not in lines


def test_panels_share_their_axis_and_their_legend(tmp_path):
    frames = [table(b0=20.0, b100=40.0), table(b0=70.0, b100=60.0)]
    with figure_style():
        figure = sweep_figure(on_file(tmp_path, *frames))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["(a) images on all clients", "(b) images on all clients"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["audio tasks: Speech, Noise", "image tasks: Photos"]


@pytest.mark.parametrize("scale", ["paper", "scaled"])
def test_scaled_is_printed_in_the_figure_and_the_title_is_not(scale, tmp_path):
    files = outputs(tmp_path)
    PRODUCT.draw(on_file(tmp_path) | {"scale": scale}, files)
    svg = files["svg"].read_text(encoding="utf-8")
    assert "<dc:title>fssuavl, figure 4: accuracy</dc:title>" in svg
    assert ">fssuavl, figure 4: accuracy</text>" not in svg
    assert (">scaled: not comparable with the paper<" in svg) == (scale == "scaled")


def test_the_same_numbers_give_the_same_bytes_in_another_process(tmp_path: Path):
    spec = on_file(tmp_path)
    same_bytes_in_another_process("fedssl.paper.products.sweep_figure", spec, tmp_path)
