"""The embedding maps of the page: points, colours and names of classes."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fedssl.files import write_json
from fedssl.paper.page.maps import read_map
from fedssl.paper.palette import modality_style
from tests.unit.runs import record

DATASETS = {
    "b-images": {"title": "Images B", "modality": "image"},
    "a-images": {"title": "Images A", "modality": "image"},
    "sounds": {"title": "Sounds", "modality": "audio"},
}


@pytest.fixture
def entry(tmp_path: Path) -> dict[str, Any]:
    """A figure of two panels, one of which has a map; its record sorts the datasets by name."""
    points, bank = tmp_path / "maps/final.parquet", tmp_path / "banks/a-images/bank.json"
    points.parent.mkdir()
    rows = [("b-images", 0, -1.0, 0.0), ("a-images", 1, 3.0, 2.0), ("sounds", 4, 1.0, 1.0)]
    pd.DataFrame(rows, columns=["dataset", "label", "x", "y"]).to_parquet(points)
    write_json(bank, {"classes": ["cat", "dog"]})
    files = [str(points)]
    record(
        points.with_suffix(".provenance.json"), "embedding_map", inputs=[str(bank)], outputs=files
    )
    panels = [
        {"row": "R-18", "cells": [{"points": str(points)}]},
        {"row": "ViT", "cells": [{"points": str(tmp_path / "absent.parquet")}]},
        {"row": "not declared", "cells": []},
    ]
    settings = {"title": "figure 2: features; and more", "datasets": DATASETS, "panels": panels}
    own = record(tmp_path / "figure2.provenance.json", "map_figure", settings=settings)
    return {"name": "figure2", "record": str(own)}


def test_points_are_on_a_square_that_keeps_their_proportions(entry: dict[str, Any]) -> None:
    (panel,) = read_map(entry)["panels"]
    assert panel["title"] == "R-18"
    assert panel["points"] == [0, 0, 0, 0, 1000, 500, 1, 1, 500, 250, 2, 4]


def test_colours_are_those_of_the_figure_and_not_of_the_order_of_names(
    entry: dict[str, Any],
) -> None:
    datasets = read_map(entry)["datasets"]
    assert [own["title"] for own in datasets] == ["Images B", "Images A", "Sounds"]
    assert datasets[0]["color"] == modality_style("image").color != datasets[1]["color"]
    assert datasets[2]["color"] == modality_style("audio").color


def test_classes_have_the_names_of_the_bank_if_it_is_there(entry: dict[str, Any]) -> None:
    found = read_map(entry)
    assert [own["classes"] for own in found["datasets"]] == [None, ["cat", "dog"], None]
    assert (found["name"], found["title"]) == ("figure2", "figure 2: features")
