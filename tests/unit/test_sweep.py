"""Figures that draw tables as curves."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fedssl.errors import UserError
from fedssl.paper.products.sweep_figure import draw, sweep_figure
from fedssl.paper.style import figure_style, modality_style
from fedssl.paper.tables import COLUMNS
from tests.unit.figures import outputs, same_bytes_in_another_process

NAN = math.nan
SPEC: dict[str, Any] = {
    "title": "fssuavl, figure 4: accuracy",
    "scale": "scaled",
    "scale_note": "mini: 20 clients",
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


def written(folder: Path) -> Path:
    """Return a table's CSV."""
    path = folder / "table.csv"
    table(b0=20.0, b100=40.0).to_csv(path, index=False)
    return path


def on_file(path: Path) -> dict[str, Any]:
    """Return the spec of a figure whose panel shows a table's CSV."""
    return {**SPEC, "panels": [{**panel, "csv": str(path)} for panel in SPEC["panels"]]}


def drawn(frame: pd.DataFrame) -> dict[str, Any]:
    with figure_style():
        (axes,) = sweep_figure(SPEC, [frame]).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    return {"axes": axes, **lines}


def test_points_are_rows_by_their_percentage_and_gaps_are_no_zeros():
    found = drawn(table(b0=20.0, b100=40.0, b50=30.0, b30=NAN))
    audio = found["audio tasks: Speech, Noise"]
    assert list(audio.get_xdata()) == [0, 30, 50, 100]
    assert list(audio.get_ydata()) == pytest.approx([20, NAN, 30, 40], nan_ok=True)
    image = found["image tasks: Photos"]
    assert list(image.get_ydata()) == pytest.approx([30, NAN, 40, 50], nan_ok=True)
    assert list(found["axes"].get_xticks()) == [0, 30, 50, 100]
    assert audio.get_color() == modality_style("audio").color != image.get_color()
    assert audio.get_marker() != image.get_marker()


def test_bars_are_the_intervals_where_there_is_one():
    axes = drawn(table(b0=20.0, b100=40.0))["axes"]
    drawn_bars = (segment for part in axes.collections for segment in part.get_segments())
    bars = [segment[:, 1].tolist() for segment in drawn_bars if len(segment)]
    known = [bar for bar in bars if not any(map(math.isnan, bar))]
    assert sorted(known) == [[18.0, 22.0], [38.0, 42.0]]


def test_no_line_crosses_what_was_not_run():
    """Two measured ends of a grid of four: two marks and no line."""
    audio = drawn(table(b0=20.0, b100=40.0))["audio tasks: Speech, Noise"]
    values = list(audio.get_ydata())
    joined = [pair for pair in pairwise(values) if not any(map(math.isnan, pair))]
    assert sum(not math.isnan(value) for value in values) == 2 and not joined
    assert audio.get_marker() not in ("", "None", None)


def test_random_init_is_a_line_across(tmp_path):
    frame = table(b0=20.0, b100=40.0, **{"random init": 15.0})
    found = drawn(frame)
    assert list(found["audio tasks: random init"].get_ydata()) == [15.0, 15.0]
    assert list(found["image tasks: random init"].get_ydata()) == [25.0, 25.0]
    # It is no point of the curve.
    assert 15.0 not in list(found["audio tasks: Speech, Noise"].get_ydata())


def test_a_panel_without_a_number_is_refused():
    with pytest.raises(UserError, match="images on all clients: no row of Avg"):
        drawn(table(b0=NAN))


def test_panels_share_their_axis_and_their_legend():
    other = {**SPEC["panels"][0], "title": "audio on all clients"}
    spec = SPEC | {"panels": [SPEC["panels"][0], other]}
    frames = [table(b0=20.0, b100=40.0), table(b0=70.0, b100=60.0)]
    with figure_style():
        figure = sweep_figure(spec, frames)
    assert [axes.get_title() for axes in figure.axes] == [
        "(a) images on all clients",
        "(b) audio on all clients",
    ]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["audio tasks: Speech, Noise", "image tasks: Photos"]


@pytest.mark.parametrize("scale", ["paper", "scaled"])
def test_scaled_is_printed_in_the_figure(scale, tmp_path):
    path, files = written(tmp_path), outputs(tmp_path)
    draw(on_file(path) | {"scale": scale}, files)
    svg = files["svg"].read_text(encoding="utf-8")
    assert "figure 4: accuracy" in svg and "bars: 95 % intervals" in svg
    assert ("scaled: not comparable with the paper" in svg) == (scale == "scaled")


def test_the_same_numbers_give_the_same_bytes_in_another_process(tmp_path: Path):
    path = written(tmp_path)
    same_bytes_in_another_process("fedssl.paper.products.sweep_figure", on_file(path), tmp_path)
