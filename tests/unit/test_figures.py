import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from fedssl.errors import UserError
from fedssl.paper.products.loss_figure import draw, loss_figure, round_losses
from fedssl.paper.style import aggregator_style, dataset_styles, figure_style, split_style

HEADER = "round,client,modality,samples,steps,loss,seconds\n"
SPLITS = ["a0-i100-b0", "a100-i0-b0", "a0-i0-b100", "a50-i50-b0", "a33-i33-b34"]


def rounds(path: Path, *rows: tuple[int, int, str, int, int, float | str]) -> str:
    lines = [",".join(map(str, (*row, 1.5))) for row in rows]
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    both = rounds(
        tmp_path / "both.csv",
        *((r, 0, m, 10, 1, 5 - r / 10) for r in (1, 2, 3) for m in ("image", "audio")),
    )
    image = rounds(tmp_path / "image.csv", *((r, 0, "image", 10, 1, 4.0) for r in (1, 2, 3)))
    return {
        "title": "Loss per round",
        "scale": "scaled",
        "scale_note": "mini: 20 clients",
        "curves": [
            {"method": "simclr", "label": "Ours", "split": "a0-i0-b100", "path": both},
            {"method": "simclr", "label": "Image", "split": "a0-i100-b0", "path": image},
            {"method": "simclr", "label": "Image wide", "split": "a0-i100-b0", "path": image},
        ],
    }


def outputs(folder: Path) -> dict[str, Path]:
    return {kind: folder / f"loss.{kind}" for kind in ("pdf", "png", "svg")}


def test_losses_are_means_over_clients_weighted_by_samples(tmp_path):
    path = rounds(
        tmp_path / "rounds.csv",
        (1, 0, "image", 30, 2, 1.0),
        (1, 5, "image", 10, 1, 5.0),
        (1, 5, "audio", 10, 1, 7.0),
        (2, 3, "image", 20, 1, 3.0),
        (2, 4, "image", 1, 0, ""),  # one sample: no step, no loss
    )
    assert round_losses(path).to_dict("records") == [
        {"round": 1, "modality": "audio", "loss": 7.0},
        {"round": 1, "modality": "image", "loss": 2.0},
        {"round": 2, "modality": "image", "loss": 3.0},
    ]


def test_a_round_in_which_a_client_diverged_has_no_mean(tmp_path):
    path = rounds(
        tmp_path / "rounds.csv", (1, 0, "image", 10, 1, "nan"), (1, 1, "image", 10, 1, 2.0)
    )
    assert round_losses(path).loss.isna().all()


def test_a_history_that_cannot_be_drawn_is_named(tmp_path):
    path = tmp_path / "rounds.csv"
    path.write_text("round,loss\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match="lacks the columns modality, samples, steps"):
        round_losses(path)
    with pytest.raises(UserError, match="has modality video; it must be image or audio"):
        round_losses(rounds(path, (1, 0, "video", 10, 1, 2.0)))
    with pytest.raises(UserError, match="no round in which a client took a step"):
        round_losses(rounds(path, (1, 0, "image", 1, 0, "")))


def test_a_panel_per_modality_and_a_line_per_cell(spec):
    with figure_style():
        figure = loss_figure(spec)
    panels = {axes.get_title(): axes for axes in figure.axes}
    drawn = {
        modality: {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
        for modality, axes in panels.items()
    }
    ours = pytest.approx([4.9, 4.8, 4.7])
    assert list(drawn) == ["image", "audio"]
    assert {k: v for k, v in drawn["image"].items() if v} == {
        "Ours": ours,
        "Image": [4.0] * 3,
        "Image wide": [4.0] * 3,
    }
    assert {k: v for k, v in drawn["audio"].items() if v} == {"Ours": ours}
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["Ours", "Image", "Image wide"]


def test_seeds_of_a_label_are_one_line_of_their_mean(tmp_path, spec):
    other = rounds(tmp_path / "seed1.csv", *((r, 0, "image", 10, 1, 6.0) for r in (1, 2, 3)))
    curve = spec["curves"][1]
    spec["curves"] = [curve, curve | {"path": other}]
    with figure_style():
        (axes,) = loss_figure(spec).axes
    (line,) = axes.get_lines()
    assert list(line.get_ydata()) == [5.0] * 3
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (4.0, 6.0)


def test_aggregators_have_their_colours_in_a_study_of_one_split(spec):
    for curve, aggregator in zip(spec["curves"], ("fedavg", "fedavg-bb", "l-dawa"), strict=True):
        curve |= {"aggregator": aggregator, "variant": 0}
        del curve["split"]
    with figure_style():
        axes = loss_figure(spec).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["Ours"].get_color() == aggregator_style("fedavg", 0).color
    assert lines["Image"].get_color() == lines["Ours"].get_color()
    assert lines["Image"].get_marker() != lines["Ours"].get_marker()
    assert lines["Image wide"].get_color() == aggregator_style("l-dawa", 0).color


def test_a_split_has_its_colour_and_cells_of_one_split_their_marks(spec):
    with figure_style():
        axes = loss_figure(spec).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["Ours"].get_color() == split_style("a0-i0-b100").color
    assert lines["Image"].get_color() == lines["Image wide"].get_color()
    assert lines["Image"].get_marker() != lines["Image wide"].get_marker()


@pytest.mark.parametrize("scale", ["paper", "scaled"])
def test_scaled_is_printed_in_the_figure(spec, scale, tmp_path):
    files = outputs(tmp_path)
    draw(spec | {"scale": scale}, files)
    svg = files["svg"].read_text(encoding="utf-8")
    assert "Loss per round" in svg
    assert ("scaled: not comparable with the paper (mini: 20" in svg) == (scale == "scaled")


def test_three_formats_are_written_whole(spec, tmp_path):
    files = outputs(tmp_path / "figures")
    draw(spec, files)
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    assert files["svg"].read_bytes().startswith(b"<?xml")
    picture = imread(files["png"])
    assert picture.shape[1] >= 1200  # two columns of print at 200 dots per inch
    assert picture[..., :3].std() > 0.01  # not a blank page
    assert sorted(path.name for path in files["png"].parent.iterdir()) == [
        "loss.pdf",
        "loss.png",
        "loss.svg",
    ]


def test_the_same_numbers_give_the_same_bytes_in_another_process(spec, tmp_path, monkeypatch):
    files, again = outputs(tmp_path / "one"), outputs(tmp_path / "two")
    draw(spec, files)
    program = (
        "from fedssl.paper.products.loss_figure import draw\n"
        f"draw({spec!r}, { {k: str(p) for k, p in again.items()}!r})"
    )
    # Neither the clock nor the user's matplotlib settings may show.
    (tmp_path / "matplotlibrc").write_text(
        "axes.titleweight: bold\nsavefig.bbox: tight\n", encoding="utf-8"
    )
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    for kind, path in files.items():
        assert path.read_bytes() == again[kind].read_bytes(), kind


def test_the_users_settings_are_left_alone(spec, tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        draw(spec, outputs(tmp_path))
        assert dict(mpl.rcParams) == before


def test_a_split_keeps_its_look_and_named_ones_differ():
    styles = [split_style(split) for split in SPLITS]
    assert len({style.color for style in styles}) == len({s.dashes for s in styles}) == len(SPLITS)
    assert split_style("a0-i100-b0") == split_style("a0-i100-b0")


def dichromat(color: str, *, matrix: list[list[float]]) -> np.ndarray:
    """Return a colour as a dichromat sees it, in linear RGB."""
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(matrix) @ linear, 0, 1)


# Machado, Oliveira and Fernandes 2009, severity 1.
DEUTERANOPIA = [[0.3673, 0.8606, -0.2280], [0.2803, 0.6726, 0.0472], [-0.0118, 0.0429, 0.9689]]
PROTANOPIA = [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]


@pytest.mark.parametrize("matrix", [DEUTERANOPIA, PROTANOPIA], ids=["deutan", "protan"])
def test_named_colours_stay_apart_without_red_or_green_cones(matrix):
    seen = [dichromat(split_style(split).color, matrix=matrix) for split in SPLITS]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) > 0.1


MODALITIES = {"a": "image", "b": "audio", "c": "image", "d": "audio"}


@pytest.mark.parametrize("matrix", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["all", "d", "p"])
def test_datasets_stay_apart_from_each_other_and_from_splits(matrix):
    datasets = [style.color for style in dataset_styles(MODALITIES).values()]
    splits = [split_style(split).color for split in SPLITS]
    seen, taken = ([dichromat(c, matrix=matrix) for c in cs] for cs in (datasets, splits))
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) > 0.1
    assert min(np.linalg.norm(a - b) for a in seen for b in taken) > 0.1


def test_four_datasets_differ_in_grey_and_all_in_marks():
    styles = dataset_styles(MODALITIES)
    luminance = np.array([0.2126, 0.7152, 0.0722])
    grey = {name: dichromat(s.color, matrix=np.eye(3)) @ luminance for name, s in styles.items()}
    assert min(np.diff(sorted(grey.values()))) > 0.08
    many = dataset_styles({str(i): ("image", "audio")[i % 2] for i in range(8)})
    assert len(set(many.values())) == 8
    assert dataset_styles(dict(reversed(MODALITIES.items())))["a"] == styles["c"]


def test_other_splits_lie_between_the_colours_of_what_they_mix():
    image, both = (split_style(s).color for s in ("a0-i100-b0", "a0-i0-b100"))
    middle = split_style("a0-i50-b50").color
    for i in (1, 3, 5):
        low, high = sorted((int(image[i : i + 2], 16), int(both[i : i + 2], 16)))
        assert low <= int(middle[i : i + 2], 16) <= high
    assert len({image, both, middle, split_style("a0-i70-b30").color}) == 4


@pytest.mark.parametrize("split", ["a33-i33-b33", "images", "a0-i100-b0-c0"])
def test_a_split_that_does_not_add_up_is_named(split):
    with pytest.raises(UserError, match=f"split '{split}' (is not|sums to)"):
        split_style(split)


def test_a_single_round_is_a_mark(tmp_path):
    path = rounds(tmp_path / "one.csv", (1, 0, "audio", 10, 1, 2.0))
    curve = {"method": "simclr", "label": "A", "split": "a100-i0-b0", "path": path}
    with figure_style():
        (axes,) = loss_figure({"title": "t", "scale": "paper", "curves": [curve]}).axes
    (line,) = axes.get_lines()
    assert (list(line.get_xdata()), line.get_marker()) == ([1], "o")
