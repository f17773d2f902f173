"""The figures of each cell's rounds, and of the samples of each client by class."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fedssl.paper.products import curves_figure, shards_figure
from fedssl.paper.style import figure_style
from tests.unit.figures import shipped_plan

HEADER = "round,client,modality,samples,steps,loss,seconds\n"


def curve(folder: Path, panel: str, scores: dict[int, float], **facts: Any) -> dict[str, Any]:
    folder = folder / str(len(list(folder.iterdir())))
    folder.mkdir()
    lines = [
        f"{number},{metric},{v},100" for number, v in scores.items() for metric in ("R@1", "R@5")
    ]
    (folder / "scores.csv").write_text("\n".join(["round,metric,value,n_eval", *lines]))
    losses = [f"1,{client},audio,10,1,{2.0 + client},1" for client in range(3)]
    (folder / "rounds.csv").write_text(HEADER + "\n".join(losses))
    for kind, chosen in (("best-round", [2]), ("held-out-round", [2, 4])):
        (folder / f"{kind}.json").write_text(json.dumps({"rounds": chosen}))
    files = {"scores": str(folder / "scores.csv"), "rounds": str(folder / "rounds.csv")}
    chosen = {kind: str(folder / f"{kind}.json") for kind in ("best-round", "held-out-round")}
    base = {"line": "FedAvg", "aggregator": "fedavg", "variant": 0, "form": "all sent"}
    return {"panel": panel, **base, **files, "chosen": chosen, **facts}


def drawn(*curves: dict[str, Any]) -> Figure:
    spec = {"title": "t", "scale": "paper", "modality": "audio", "curves": list(curves)}
    with figure_style():
        return curves_figure.curves_figure(spec)


def shown(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_a_panel_has_scores_above_and_losses_below(tmp_path: Path) -> None:
    above, below = shown(drawn(curve(tmp_path, "ACOP FedAvg", {0: 10.0, 2: 30.0, 4: 20.0})))
    assert above.get_title() == "ACOP FedAvg"
    scores, baseline, best, held_out = above.get_lines()
    assert list(scores.get_ydata()) == [10.0, 30.0, 20.0]
    assert list(baseline.get_ydata()) == [10.0, 10.0]
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([2], [30.0])
    assert list(held_out.get_xdata()) == [2, 4]
    # Clients lose 2, 3 and 4.
    assert list(below.get_lines()[0].get_ydata()) == [3.0]
    band = below.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((2.2, 3.8))


def test_the_band_is_the_interval_of_the_score(tmp_path: Path) -> None:
    above, _ = shown(drawn(curve(tmp_path, "A", {0: 50.0, 2: 50.0, 4: 50.0})))
    band = above.collections[0].get_paths()[0].vertices[:, 1]
    # Wilson's interval of 50 of 100.
    assert (band.min(), band.max()) == pytest.approx((40.4, 59.6), abs=0.05)


def test_seeds_are_one_line_and_forms_of_an_aggregator_one_panel(tmp_path: Path) -> None:
    bb = {"line": "FedAvg-bb", "aggregator": "fedavg-bb", "form": "backbone only"}
    figure = drawn(
        curve(tmp_path, "A", {0: 1.0, 2: 10.0, 4: 1.0}),
        curve(tmp_path, "A", {0: 1.0, 2: 20.0, 4: 1.0}),
        curve(tmp_path, "A", {0: 1.0, 2: 30.0, 4: 1.0}, **bb),
    )
    above, _ = shown(figure)
    values = [line.get_ydata()[1] for line in above.get_lines() if len(line.get_ydata()) == 3]
    assert values == [15.0, 30.0]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["all sent", "backbone only"]


def test_a_figure_for_each_task_of_a_study_whose_rounds_are_scored() -> None:
    plan = shipped_plan()
    tasks = [task.task for task in plan.grid.tasks("fassl")]
    assert list(curves_figure.names(plan)) == [f"fassl_curves_{task}" for task in tasks]
    spec = curves_figure.spec(plan, "fassl_curves_dov")
    assert len({c["panel"] for c in spec["curves"]}) == 15  # methods x aggregators


def test_a_heat_map_has_a_row_for_each_client_and_blanks_what_no_client_has(tmp_path: Path) -> None:
    path = tmp_path / "seed0.json"
    path.write_text(json.dumps({"histogram": [[0, 4, 9], [1, 0, 0]]}))
    panel = {"title": "A dataset, alpha 0.1", "shards": str(path)}
    with figure_style():
        figure = shards_figure.shards_figure({"scale": "paper", "panels": [panel]})
    (image,) = figure.axes[0].images
    assert image.get_array().tolist() == [[None, 4.0, 9.0], [1.0, None, None]]
    with figure_style():
        three = shards_figure.shards_figure({"scale": "paper", "panels": [panel] * 3})
    maps = [axes for axes in shown(three) if axes.get_ylabel() == "client"]
    assert len(shown(three)) == 2 * len(maps) == 6, "a map and a colour bar each, and no empty axes"


def test_each_dataset_and_sharding_of_a_study_has_a_heat_map() -> None:
    panels = shards_figure.spec(shipped_plan(), "fssuavl_shards")["panels"]
    assert [panel["title"] for panel in panels] == [
        "Tiny ImageNet-200, alpha 0.1",
        "VGGSound, alpha 0.1",
        "CIFAR-10, alpha 0.1",
    ]
