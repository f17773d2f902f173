"""Figures of maps, and the tables of silhouettes behind them."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from fedssl.errors import UserError
from fedssl.paper.claims.cells import measured_cells
from fedssl.paper.claims.claims import check_claims
from fedssl.paper.palette import dataset_styles
from fedssl.paper.products.map_figure import PRODUCT, map_figure
from fedssl.paper.products.silhouettes import build_silhouettes, write
from fedssl.paper.published import read_published
from fedssl.paper.style import figure_style
from fedssl.paper.tables import COLUMNS
from tests.unit.figures import outputs, same_bytes_in_another_process, shipped_plan

DATASETS = {
    "photos": {"title": "Photos & more", "modality": "image"},
    "drawings": {"title": "Drawings", "modality": "image"},
    "speech": {"title": "Speech", "modality": "audio"},
    "noise": {"title": "Noise", "modality": "audio"},
}
BY_DATASET, BY_MODALITY = "silhouette by dataset", "silhouette by modality"


def panel(folder: Path, row: str, *silhouettes: float) -> dict[str, Any]:
    """Write a panel's maps, a seed for each silhouette by dataset."""
    cells = []
    for seed, value in enumerate(silhouettes):
        points = folder / f"{row} {seed}.parquet"
        rng = np.random.default_rng(seed)
        names = [name for name in DATASETS for _ in range(20)]
        columns = {"dataset": names, "x": rng.normal(size=80), "y": rng.normal(size=80)}
        pd.DataFrame(columns).to_parquet(points)
        found = {
            "dataset": {"features": value, "map": value / 2},
            "modality": {"features": value + 0.1, "map": -value},
        }
        summary = points.with_suffix(".json")
        summary.write_text(json.dumps({"n_eval": 80, "silhouette": found}), encoding="utf-8")
        model = f"results/{row}/seed{seed}/model.safetensors"
        cells.append({"seed": seed, "cell": model, "points": str(points), "summary": str(summary)})
    return {"row": row, "cells": cells}


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    return {
        "study": "fssuavl",
        "table": "figure3",
        "title": "features after pretraining",
        "scale": "scaled",
        "scale_note": "mini: 20 clients",
        "rows": ["R-18", "ViT"],
        "columns": ["FASSL", "FVSSL", "FSSUAVL"],
        "datasets": DATASETS,
        "panels": [
            panel(tmp_path, "FASSL R-18", 0.1, 0.2),
            panel(tmp_path, "FVSSL R-18", 0.5, 0.4),
            panel(tmp_path, "FSSUAVL R-18", 0.61, 0.59),
            panel(tmp_path, "FASSL ViT"),
            panel(tmp_path, "FVSSL ViT", 0.25, 0.35),
            panel(tmp_path, "FSSUAVL ViT", 0.3, 0.3),
        ],
    }


def drawn(spec: dict[str, Any]) -> Any:
    with figure_style():
        return map_figure(on_file(spec))


def on_file(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec with the path of its table of silhouettes, which is written."""
    points = next(cell["points"] for panel in spec["panels"] for cell in panel["cells"])
    table = Path(points).with_name("table.csv")
    build_silhouettes(spec)[0].to_csv(table, index=False)
    return spec | {"silhouettes": str(table)}


def test_the_table_keeps_the_contract_of_all_tables(spec):
    frame = build_silhouettes(spec)[0]
    assert tuple(frame.columns) == COLUMNS
    assert set(frame["study"]) == {"fssuavl"} and set(frame["table"]) == {"figure3"}
    assert list(frame["row"].unique()) == [panel["row"] for panel in spec["panels"]]
    records = {(r["row"], r["column"]): r for r in frame.to_dict("records")}
    one = records["FASSL R-18", BY_DATASET]
    assert one["measured"] == pytest.approx(0.15)
    assert one["std"] == pytest.approx(math.sqrt(2) * 0.05)
    assert (one["n_seeds"], one["n_eval"], one["verdict"]) == (2, 80, "scaled")
    assert one["cell"] == " ".join(cell["cell"] for cell in spec["panels"][0]["cells"])
    assert records["FASSL R-18", BY_MODALITY]["measured"] == pytest.approx(0.25)
    assert records["FASSL R-18", f"{BY_DATASET} on the map"]["measured"] == pytest.approx(0.075)
    assert frame[["published", "delta"]].isna().all(axis=None)


def test_what_was_not_run_is_no_zero(spec):
    frame = build_silhouettes(spec)[0]
    missing = frame[frame["row"] == "FASSL ViT"]
    assert set(missing["verdict"]) == {"not-run"} and set(missing["n_seeds"]) == {0}
    assert missing[["measured", "std", "n_eval"]].isna().all(axis=None)
    axes = drawn(spec).axes[3]
    assert not axes.axison and not axes.collections and not axes.get_xlabel()


def test_rows_and_columns_of_which_nothing_was_run_are_left_out(spec):
    for place in (3, 0, 5, 4):
        spec["panels"][place]["cells"] = []
    titles = [axes.get_title() for axes in drawn(spec).axes]
    assert titles == ["(a) FVSSL", "(b) FSSUAVL"]


def test_at_the_papers_scale_there_is_nothing_to_compare_with(spec):
    verdicts = build_silhouettes(spec | {"scale": "paper"})[0]["verdict"]
    assert set(verdicts) == {"no-published-number", "not-run"}


def test_seeds_of_other_samples_are_refused(spec):
    path = Path(spec["panels"][0]["cells"][1]["summary"])
    path.write_text(path.read_text().replace("80", "81"))
    with pytest.raises(UserError, match="maps of FASSL R-18 have 80, 81 samples; the maps of all"):
        build_silhouettes(spec)[0]


def test_the_shipped_claim_is_decided_on_the_table(spec, tmp_path):
    claim = {
        "id": "clusters",
        "paper": "fssuavl",
        "untabulated": True,
        "predicate": {
            "compare": "each",
            "left": {"table": "figure3", "row": ["FVSSL R-18"], "column": BY_DATASET},
            "relation": ">",
            "right": {"table": "figure3", "row": "FASSL R-18", "column": BY_DATASET},
        },
    }
    files = {kind: tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex")}
    files["seeds"] = tmp_path / "table.seeds.json"

    def verdict(left: float, right: float, apart: float = 0.01) -> Any:
        panels = [
            panel(tmp_path, "FASSL R-18", right - 0.01, right + 0.01),
            panel(tmp_path, "FVSSL R-18", left - apart, left + apart),
        ]
        write(spec | {"panels": panels}, files)
        frame = check_claims([claim], read_published([]), tables=measured_cells([files["csv"]]))
        return frame.iloc[0]

    held = verdict(0.30, 0.25)
    assert (held["measured"], bool(held["scaled"])) == ("holds", True)
    assert held["measured_margin"] == pytest.approx(0.05)
    assert held["low"] == pytest.approx(0.05)  # with each seed
    # Two decimals would show 0.30 > 0.30.
    assert verdict(0.3011, 0.30)["measured_evidence"].startswith("0.3011 (figure3: FVSSL R-18, ")
    assert verdict(0.3011, 0.30, 0.02)["measured"] == "undecided"
    assert verdict(0.20, 0.30)["measured"] == "fails"
    assert "from -1 to 1 and are not percent" in files["md"].read_text()
    assert "figure 3" in files["tex"].read_text()


def test_a_panel_draws_every_point_in_its_datasets_colour(spec):
    axes = drawn(spec).axes[0]
    points = pd.read_parquet(spec["panels"][0]["cells"][0]["points"])
    styles = dataset_styles({name: facts["modality"] for name, facts in DATASETS.items()})
    for name, style in styles.items():
        found = [
            part.get_offsets()
            for part in axes.collections
            if to_hex(part.get_facecolor()[0]) == style.color
        ]
        expected = points.loc[points["dataset"] == name, ["x", "y"]].to_numpy()
        assert sorted(np.concatenate(found).tolist()) == sorted(expected.tolist())


def test_panels_are_named_and_quote_their_silhouettes(spec):
    figure = drawn(spec)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "(a) FASSL" and titles[5] == "(e) FSSUAVL"
    assert [figure.axes[i].get_ylabel() for i in (0, 3)] == ["R-18", "ViT"]
    quoted = figure.axes[0].get_xlabel().splitlines()
    assert quoted == ["0.15 ± 0.64 by dataset", "0.25 ± 0.64 by modality"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "Photos & more (image)",
        "Drawings (image)",
        "Speech (audio)",
        "Noise (audio)",
    ]


@pytest.mark.parametrize("scale", ["paper", "scaled"])
def test_scaled_is_printed_in_the_figure(spec, scale, tmp_path):
    files = outputs(tmp_path)
    PRODUCT.draw(on_file(spec) | {"scale": scale}, files)
    svg = files["svg"].read_text(encoding="utf-8")
    assert "<dc:title>features after pretraining</dc:title>" in svg
    assert (">scaled: not comparable with the paper<" in svg) == (scale == "scaled")


def test_the_caption_says_whose_maps_they_are_and_what_was_not_run():
    title = PRODUCT.spec(shipped_plan("demo.yaml"), "fssuavl_figure3")["title"]
    assert title.startswith("fssuavl, figure 3: ")
    assert title.endswith("one seed; not run: FASSL ViT, FVSSL ViT, FSSUAVL ViT")
    paper = PRODUCT.spec(shipped_plan(), "fssuavl_figure3")["title"]
    assert "maps of the first of 3 seeds" in paper and "not run" not in paper


def test_the_same_maps_give_the_same_bytes_in_another_process(spec, tmp_path):
    spec = on_file(spec)
    same_bytes_in_another_process("fedssl.paper.products.map_figure", spec, tmp_path)


def test_thousands_of_points_do_not_make_a_large_file(spec, tmp_path):
    for i, entry in enumerate(spec["panels"]):
        for cell in entry["cells"]:
            rng = np.random.default_rng(i)
            names = np.repeat(list(DATASETS), 500)
            columns = {"dataset": names, "x": rng.normal(size=2000), "y": rng.normal(size=2000)}
            pd.DataFrame(columns).to_parquet(cell["points"])
    spec = on_file(spec)
    files = outputs(tmp_path)
    PRODUCT.draw(spec, files)
    assert max(path.stat().st_size for path in files.values()) < 2_000_000
