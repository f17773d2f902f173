import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from fedssl.errors import UserError
from fedssl.paper.palette import aggregator_style, split_style
from fedssl.paper.products.loss_figure import PRODUCT, loss_figure, mean_and_band, round_losses
from fedssl.paper.style import figure_style

HEADER = "round,client,modality,samples,steps,loss,seconds\n"


def rounds(path: Path, *rows: tuple[int, int, str, int, int, float | str]) -> str:
    lines = [",".join(map(str, (*row, 1.5))) for row in rows]
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def curve(label: str, split: str, path: str) -> dict[str, str]:
    return {"method": "simclr", "arch": "vit", "label": label, "split": split, "path": path}


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
            curve("Ours", "a0-i0-b100", both),
            curve("Image", "a0-i100-b0", image),
            curve("Image wide", "a0-i100-b0", image),
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


def test_the_band_is_of_the_clients_of_all_seeds(tmp_path):
    paths = [
        rounds(
            tmp_path / f"seed{seed}.csv",
            *((1, client, "image", 10, 1, 10.0 * seed + client) for client in range(6)),
        )
        for seed in (0, 1)
    ]
    (band,) = mean_and_band(paths).to_dict("records")
    # The clients have the losses 0 to 5 and 10 to 15.
    assert (band["loss"], band["low"], band["high"]) == pytest.approx((7.5, 1.1, 13.9))


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
    first = spec["curves"][1]
    spec["curves"] = [first, first | {"path": other}]
    with figure_style():
        (axes,) = loss_figure(spec).axes
    (line,) = axes.get_lines()
    assert list(line.get_ydata()) == [5.0] * 3
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((4.2, 5.8))


def test_aggregators_have_their_colours_in_a_study_of_one_split(spec):
    for entry, aggregator in zip(spec["curves"], ("fedavg", "fedavg-bb", "l-dawa"), strict=True):
        entry |= {"aggregator": aggregator, "variant": 0}
        del entry["split"]
    with figure_style():
        axes = loss_figure(spec).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["Ours"].get_color() == aggregator_style("fedavg", 0).color
    assert lines["Image"].get_color() == lines["Ours"].get_color()
    assert lines["Image"].get_linestyle() != lines["Ours"].get_linestyle()
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
    PRODUCT.draw(spec | {"scale": scale}, files)
    svg = files["svg"].read_text(encoding="utf-8")
    assert "<dc:title>Loss per round</dc:title>" in svg and ">Loss per round</text>" not in svg
    assert ("scaled: not comparable with the paper<" in svg) == (scale == "scaled")


def test_three_formats_are_written_whole(spec, tmp_path):
    files = outputs(tmp_path / "figures")
    PRODUCT.draw(spec, files)
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
    PRODUCT.draw(spec, files)
    program = (
        "from fedssl.paper.products.loss_figure import PRODUCT\n"
        f"PRODUCT.draw({spec!r}, { {k: str(p) for k, p in again.items()}!r})"
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
        PRODUCT.draw(spec, outputs(tmp_path))
        assert dict(mpl.rcParams) == before


def test_a_single_round_is_a_mark(tmp_path):
    path = rounds(tmp_path / "one.csv", (1, 0, "audio", 10, 1, 2.0))
    only = curve("A", "a100-i0-b0", path)
    with figure_style():
        (axes,) = loss_figure({"title": "t", "scale": "paper", "curves": [only]}).axes
    (line,) = axes.get_lines()
    assert (list(line.get_xdata()), line.get_marker()) == ([1], "o")
