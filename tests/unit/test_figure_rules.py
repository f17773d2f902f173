"""What the figures are made of, by the shipped configuration."""

from types import SimpleNamespace
from typing import Any

import pytest

from fedssl.errors import UserError
from fedssl.paper import map_panels
from fedssl.paper.products import map_figure, silhouettes, sweep_figure
from fedssl.paper.rows import row_axes
from tests.unit.figures import shipped, shipped_plan

FIGURE2, FIGURE3, FIGURE4 = (f"fssuavl_figure{number}" for number in (2, 3, 4))


def drawn(*names: str, **changes: Any) -> tuple[list[str], list[str]]:
    """Return the figures of maps and the sweeps that a configuration has."""
    plan = shipped_plan(*names, **changes)
    assert silhouettes.PRODUCT.names(plan) == map_figure.PRODUCT.names(plan)
    return list(map_figure.PRODUCT.names(plan)), list(sweep_figure.names(plan))


def wildcards(path: str) -> Any:
    """Return the wildcards of <results>/maps/<cell>/<checkpoint>.parquet."""
    _, _, *cell, checkpoint = path.removesuffix(".parquet").split("/")
    names = ("study", "method", "arch", "aggregator", "split", "variant", "seed")
    values = dict(zip(names, cell, strict=True))
    return SimpleNamespace(
        **values | {"seed": values["seed"].removeprefix("seed")}, checkpoint=checkpoint
    )


def test_figure_2_shows_fssuavl_at_four_rounds_with_both_encoders():
    plan = shipped_plan()
    spec = map_panels.figure_spec(plan, FIGURE2)
    assert (spec["rows"], len(spec["columns"])) == (["R-18", "ViT"], 4)
    shown = [wildcards(panel["cells"][0]["points"]) for panel in spec["panels"]]
    assert [(w.arch, w.checkpoint) for w in shown] == [
        (arch, f"round{number}") for arch in ("resnet18", "vit") for number in (10, 40, 70, 100)
    ]
    assert {(w.method, w.aggregator, w.split, w.variant) for w in shown} == {
        ("simclr", "fedavg", "a0-i0-b100", "base")
    }
    assert all(len(panel["cells"]) == 3 for panel in spec["panels"]), "a map for each seed"
    folder = "results/pretrain/fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/seed0/milestones"
    assert map_panels.map_inputs(plan, shown[0])["pretrained"] == folder
    assert map_panels.map_checkpoint(plan, shown[0]) == f"{folder}/round10.safetensors"


def test_figure_3_shows_three_final_models_with_both_encoders():
    plan = shipped_plan()
    spec = map_panels.figure_spec(plan, FIGURE3)
    shown = {panel["row"]: wildcards(panel["cells"][0]["points"]) for panel in spec["panels"]}
    assert {row: (w.arch, w.split) for row, w in shown.items()} == {
        "FASSL R-18": ("resnet18", "a100-i0-b0"),
        "FVSSL R-18": ("resnet18", "a0-i100-b0"),
        "FSSUAVL R-18": ("resnet18", "a0-i0-b100"),
        "FASSL ViT": ("vit", "a100-i0-b0"),
        "FVSSL ViT": ("vit", "a0-i100-b0"),
        "FSSUAVL ViT": ("vit", "a0-i0-b100"),
    }
    one = shown["FASSL ViT"]
    assert one.checkpoint == "final"
    assert map_panels.map_checkpoint(plan, one) == map_panels.map_inputs(plan, one)["pretrained"]
    assert map_panels.map_checkpoint(plan, one).endswith("a100-i0-b0/base/seed0/model.safetensors")


def test_maps_show_the_papers_four_datasets_on_the_splits_that_are_scored():
    plan = shipped_plan()
    spec = map_panels.figure_spec(plan, FIGURE3)
    assert list(spec["datasets"]) == ["tiny-imagenet", "cifar10", "vggsound", "speech-commands"]
    one = wildcards(spec["panels"][0]["cells"][0]["points"])
    settings, banks = map_panels.map_settings(plan, one), map_panels.map_inputs(plan, one)["banks"]
    assert [entry["dataset"] for entry in settings["datasets"]] == list(spec["datasets"])
    assert [bank.split("/")[-2] for bank in banks] == list(spec["datasets"])
    assert {entry["split"] for entry in settings["datasets"]} == {"validation", "test"}
    assert (settings["samples"], settings["components"], settings["perplexity"]) == (500, 50, 30)


def test_a_panel_whose_cell_the_grid_lacks_has_no_map():
    plan = shipped_plan("demo.yaml")
    panels = map_panels.figure_spec(plan, FIGURE3)["panels"]
    missing = [panel["row"] for panel in panels if not panel["cells"]]
    assert missing == ["FASSL ViT", "FVSSL ViT", "FSSUAVL ViT"]
    assert len(map_figure.inputs(plan, FIGURE3)["points"]) == 3


def test_a_figure_of_which_the_grid_declares_nothing_is_left_out():
    cells = {"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"]}
    cells |= {"split": ["a50-i50-b0"], "variant": ["base"]}
    study = {"studies": {"fssuavl": {"cells": [cells]}}}
    assert drawn(**study) == ([], [])
    silent = {
        "studies": {"fssuavl": {"tasks": [{"task": "cifar10", "split": "test", "map": True}]}}
    }
    assert drawn("demo.yaml", **silent) == ([], [])


@pytest.mark.parametrize("name", ["demo.yaml", "mini.yaml"])
def test_the_small_studies_have_all_three_figures(name):
    assert drawn(name) == ([FIGURE2, FIGURE3], [FIGURE4])


def test_a_round_that_is_not_kept_is_named():
    columns = {"maps": {FIGURE2: {"columns": [{"column": "early", "round": 4}]}}}
    words = (
        r"--config: maps.fssuavl_figure2 shows round 4, but federation.kept_rounds of "
        r"fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/seed0 is \[1, 10\]; add 4 to it"
    )
    with pytest.raises(UserError, match=words):
        map_panels.check_maps(shipped_plan("demo.yaml", **columns))


def test_a_panel_without_a_split_is_named():
    with pytest.raises(UserError, match="neither row 'R-18' nor column 'final' has a split"):
        map_panels.check_maps(shipped_plan(maps={FIGURE3: {"columns": [{"column": "final"}]}}))


def test_figure_4_sweeps_the_clients_with_both_from_none_to_all():
    plan = shipped_plan()
    spec = sweep_figure.spec(plan, FIGURE4)
    a, b = spec["panels"]
    assert list(a["rows"].values()) == list(b["rows"].values()) == [0, 10, 30, 50, 70, 100]
    assert list(a["rows"])[1] == "R-18 a0-i90-b10" and list(b["rows"])[1] == "R-18 a90-i0-b10"
    assert a["references"] == ["random init R-18"]
    assert [(line["column"], line["modality"]) for line in spec["lines"]] == [
        ("Avg. audio kNN", "audio"),
        ("Avg. image kNN", "image"),
    ]
    assert sweep_figure.inputs(plan, FIGURE4)["tables"] == [
        "results/tables/fssuavl_figure4a.csv",
        "results/tables/fssuavl_figure4b.csv",
    ]


def test_figure_4_draws_the_second_split_of_a_dataset_too():
    column = {"column": "KS2 test", "tasks": ["speech-commands-test"]}
    tables = {f"fssuavl_figure4{panel}": {"columns": [column]} for panel in "ab"}
    (line,) = sweep_figure.spec(shipped_plan(tables=tables), FIGURE4)["lines"]
    assert (line["modality"], line["tasks"]) == ("audio", "Speech Commands V2, test")


def test_rows_of_figure_4_are_named_after_their_cells_which_the_paper_grid_declares():
    grid, _ = shipped()
    for name in ("fssuavl_figure4a", "fssuavl_figure4b"):
        for row in grid.config["tables"][name]["rows"]:
            if "split" in row:
                assert row["row"] == f"R-18 {row['split']}"
                assert len(grid.select(study="fssuavl", **row_axes(row))) == 3


def test_a_table_that_does_not_exist_is_named():
    panel = {"title": "t", "x": "x", "table": "fssuavl_figure4c"}
    with pytest.raises(UserError, match=r"sweeps.fssuavl_figure4.panels\[0\].table names 'fssu.*"):
        sweep_figure.check_sweeps(shipped_plan(sweeps={FIGURE4: {"panels": [panel]}}))
