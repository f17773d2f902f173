"""Read the embedding maps of a figure for the page, where a reader can pick out a class."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fedssl.files import read_json
from fedssl.frames import read_parquet
from fedssl.paper.palette import dataset_styles
from fedssl.record.read import record_behind

Record = dict[str, Any]
_STEPS = 1000  # coordinates are whole numbers from 0 to this, which take less space


def read_maps(products: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Return the figures of maps that have a panel, as `read_map` does.

    Args:
        products: What `fedssl.paper.page.plan.page_products` returns.
    """
    found = (read_map(entry) for entry in products if entry["kind"] == "map_figure")
    return [figure for figure in found if figure["panels"]]


def read_map(entry: Mapping[str, Any]) -> Record:
    """Return the name and title of a figure of maps, its datasets, and the points of its panels.

    Each panel is the map of the first seed. Its points are one flat list: x, y, number of the
    dataset, label, and so on. Panels without a file are left out.

    Args:
        entry: An entry of `fedssl.paper.page.plan.page_products`.
    """
    spec = read_json(entry["record"])["settings"]
    files = {
        panel["row"]: path
        for panel in spec["panels"]
        if panel["cells"] and Path(path := panel["cells"][0]["points"]).is_file()
    }
    frames = {row: read_parquet(path) for row, path in files.items()}
    # Maps have the datasets in the study's order, which decides their colours in the figure. The
    # record has them in the order of their names.
    names = list(dict.fromkeys(name for frame in frames.values() for name in frame["dataset"]))
    about = {name: spec["datasets"][name] for name in names}
    styles = dataset_styles({name: about[name]["modality"] for name in names})
    classes = _class_names(files.values())
    title, _, _ = spec["title"].partition(";")
    return {
        "name": entry["name"],
        "title": title,
        "datasets": [
            {
                "title": about[name]["title"],
                "color": styles[name].color,
                "classes": classes.get(name),
            }
            for name in names
        ],
        "panels": [
            {"title": row, "points": _points(frame, names)} for row, frame in frames.items()
        ],
    }


def _points(frame: pd.DataFrame, datasets: list[str]) -> list[int]:
    places = frame[["x", "y"]]
    scaled = (places - places.min()) / (places.max() - places.min()).max() * _STEPS
    numbers = scaled.round().astype(int)
    numbers["dataset"] = frame["dataset"].map(datasets.index)
    numbers["label"] = frame["label"]
    flat: list[int] = numbers.to_numpy().ravel().tolist()
    return flat


def _class_names(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return dataset -> names of its classes, from the banks that the jobs of the maps read."""
    found = {}
    for record in filter(None, map(record_behind, paths)):
        for name in record.content["inputs"]:
            # A copy of the results may lack the banks.
            if Path(name).name == "bank.json" and Path(name).is_file():
                found[Path(name).parent.name] = read_json(name)["classes"]
    return found
