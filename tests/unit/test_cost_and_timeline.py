"""The two figures that show times: when each job ran, and what a gain cost."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fedssl.errors import UserError
from fedssl.files import digest, write_json
from fedssl.paper.plan import records, target_files
from fedssl.paper.products import cost_figure, timeline_figure
from fedssl.paper.products.registry import get_product
from fedssl.paper.products.timeline_figure import Span, lanes, read_spans, without_pauses
from fedssl.paper.style import figure_style, time_unit
from tests.unit.figures import shipped_plan


def span(start: float, end: float, rule: str = "pretrain", host: str = "a") -> Span:
    return Span(rule, host, start, end, end - start)


def job(folder: Path, rule: str, started: str, ended: str, **facts: Any) -> Path:
    record = {
        "rule": rule,
        "hardware": {"host": "node1"},
        "started": f"2026-01-01T{started}+00:00",
        "ended": f"2026-01-01T{ended}+00:00",
        "seconds": 7.5,
        **{key: {} for key in ("settings", "inputs", "outputs", "sources")},
        **facts,
    }
    path = folder / f"{rule}.provenance.json"
    write_json(path, record | {"digest": digest(record)})
    return path


def test_spans_are_those_of_the_records_from_the_first_start(tmp_path: Path) -> None:
    job(tmp_path, "evaluate", "10:00:30", "10:01:00")
    job(tmp_path, "pretrain", "10:00:00", "10:00:20")
    job(tmp_path, "loss_figure", "10:02:00", "10:02:05")
    for rule in ("certificate", "report_page", "timeline_figure", "cost_figure", "claims"):
        job(tmp_path, rule, "09:00:00", "11:00:00")
    assert read_spans(tmp_path) == [
        Span("pretrain", "node1", 0.0, 20.0, 7.5),
        Span("evaluate", "node1", 30.0, 60.0, 7.5),
        Span("tables and figures", "node1", 120.0, 125.0, 7.5),
    ]


def test_a_changed_record_is_not_drawn(tmp_path: Path) -> None:
    path = job(tmp_path, "pretrain", "10:00:00", "10:00:20")
    path.write_text(path.read_text().replace("node1", "node2"))
    with pytest.raises(UserError, match="is damaged"):
        read_spans(tmp_path)


def test_jobs_in_parallel_take_lanes_of_their_own_and_free_lanes_are_used_again() -> None:
    spans = [span(0, 10), span(1, 3), span(2, 4), span(3, 5), span(10, 11)]
    assert lanes(spans) == [0, 1, 2, 1, 0]


def test_long_pauses_are_cut_and_short_ones_kept() -> None:
    week = 7 * 86400.0
    spans = [span(0, 100), span(50, 400), span(500, 600), span(week, week + 10)]
    moved, pauses = without_pauses(spans)
    assert [(s.start, s.end) for s in moved] == [(0, 100), (50, 400), (500, 600), (660, 670)]
    assert pauses == [630]
    assert sum(s.duration for s in moved) == sum(s.duration for s in spans)


def test_a_row_of_each_rule_and_of_each_host(tmp_path: Path) -> None:
    for place, rule in enumerate(("bank_images", "pretrain", "evaluate")):
        hardware = {"host": f"node{place % 2}"}
        job(tmp_path, rule, f"10:0{place}:00", f"10:0{place}:30", hardware=hardware)
    with figure_style():
        drawn = timeline_figure.timeline_figure({"scale": "paper", "results": str(tmp_path)})
    rules, hosts = ([t.get_text() for t in axes.get_yticklabels()] for axes in drawn.axes)
    assert rules == ["bank images", "pretrain", "evaluate"] and hosts == ["node0", "node1"]
    assert [text.get_text() for text in drawn.axes[1].texts] == [
        "2 jobs, 15.0 seconds",
        "1 job, 7.5 seconds",
    ]


def test_figures_of_times_are_next_to_the_page_and_in_no_folder_that_a_rerun_reproduces() -> None:
    plan = shipped_plan()
    files = target_files(plan)
    assert files["timeline"] == "results/report/timeline.pdf"
    assert files["fassl_cost"] == "results/report/fassl_cost.pdf"
    read = get_product("timeline_figure").inputs(plan, "timeline")["records"]
    assert not [path for path in read if "/report/" in path], "it would wait for itself"
    assert {*records(plan)} - {*read} == {
        f"results/report/{name}.provenance.json" for name in ("timeline", "fassl_cost")
    } | {"results/report/fssuavl_cost.provenance.json"}
    # The certificate quotes the seal over these records, so it waits for them.
    assert "results/report/timeline.provenance.json" in records(plan)


@pytest.mark.parametrize(
    ("longest", "unit"), [(90.0, "seconds"), (130.0, "minutes"), (7300.0, "hours")]
)
def test_a_duration_is_in_a_unit_of_which_it_has_two(longest: float, unit: str) -> None:
    assert time_unit(longest)[0] == unit


def costs(folder: Path, *records: dict[str, Any], **facts: Any) -> dict[str, Any]:
    paths = []
    for place, record in enumerate(records):
        path = folder / f"{facts['row']}{place}.json"
        base = {"seconds": 60.0, "hardware": {"gpu": None, "gpus": 0}}
        path.write_text(json.dumps(base | record))
        paths.append(str(path))
    base = {"group": "FedAvg", "color": "#114361", "marker": "SimCLR", "filled": True}
    return base | facts | {"records": paths}


def drawn(folder: Path, *rows: dict[str, Any]) -> Figure:
    gains = [
        {"row": row["row"], "modality": "audio", "gain": 10.0 * place, "low": -1.0, "high": 40.0}
        for place, row in enumerate(rows)
    ]
    pd.DataFrame(gains).to_csv(folder / "gains.csv")
    spec = {"scale": "paper", "gains": folder / "gains.csv", "hollow": "backbone only"}
    with figure_style():
        return cost_figure.cost_figure(spec | {"rows": list(rows)})


def points(axes: Axes) -> list[tuple[float, float]]:
    lines = (container.lines[0] for container in axes.containers)  # type: ignore[attr-defined]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines]


def test_a_gain_stands_over_the_mean_cost_of_its_seeds(tmp_path: Path) -> None:
    gpu = {"gpu": "a GPU", "gpus": 2}
    sent = {"bytes_up": 3 * 10**9, "bytes_down": 10**9, "hardware": gpu}
    first = costs(tmp_path, sent | {"seconds": 3600.0}, sent | {"seconds": 7200.0}, row="a")
    second = costs(tmp_path, {"seconds": 3600.0, "hardware": gpu}, row="b")
    hours, size = drawn(tmp_path, first, second).axes
    assert points(hours) == [(3.0, 0.0), (2.0, 10.0)], "two GPUs count twice"
    assert points(size) == [(4.0, 0.0)], "centralised pretraining sends nothing"
    assert hours.get_xlabel() == "hours of pretraining on a GPU"
    assert size.get_xlabel() == "GB sent and received by all clients"


def test_points_of_equal_cost_are_next_to_each_other(tmp_path: Path) -> None:
    rows = [costs(tmp_path, {"seconds": 6000.0}, row=name) for name in "abc"]
    (left, _), (middle, _), (right, _) = points(drawn(tmp_path, *rows).axes[0])
    assert middle == pytest.approx(100.0)
    assert right - middle == pytest.approx(middle - left) and 0 < right - middle < 5


def test_hollow_marks_are_explained_where_there_are_any(tmp_path: Path) -> None:
    rows = [costs(tmp_path, {}, row="a"), costs(tmp_path, {}, row="b", filled=False)]
    labels = [text.get_text() for text in drawn(tmp_path, *rows).legends[0].get_texts()]
    assert labels == ["FedAvg", "SimCLR", "backbone only", "random init"]
    labels = [text.get_text() for text in drawn(tmp_path, rows[0]).legends[0].get_texts()]
    assert "backbone only" not in labels


def test_colours_show_what_a_study_compares() -> None:
    plan = shipped_plan()
    fassl, fssuavl = (cost_figure.spec(plan, f"{study}_cost") for study in ("fassl", "fssuavl"))
    assert {row["group"] for row in fassl["rows"]} >= {"FedAvg", "L-DAWA", "centralised"}
    assert {row["group"] for row in fssuavl["rows"]} >= {"FVSSL", "FASSL", "FSSUAVL"}
    assert fssuavl["hollow"] == "variant C-10, E=1" and fassl["hollow"] == "backbone only"
    hollow = {row["row"] for row in fassl["rows"] if not row["filled"]}
    assert hollow and all("-bb" in row for row in hollow)
