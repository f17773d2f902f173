"""Rows of tables that nobody measured, for results trees that nobody computed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fedssl.data.plan_banks import example_datasets
from fedssl.files import write_json
from fedssl.grid.plan import Plan
from fedssl.paper.paired_gain import ONE_SEED
from fedssl.paper.products import rounds_figure

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def contrast_rows(spec: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return a measured row, and the others as not run."""
    study, (first, *others) = spec["study"], [row["row"] for row in spec["rows"]]
    missing = [(study, row, "mean", 0, "", "", "", "", "", "", "not-run") for row in others]
    status = "measured" if spec["scale"] == "paper" else "scaled"
    gain = (1, 90, -11.1111, -23.3333, 1.1111, ONE_SEED, False)
    return [(study, first, "mean", *gain, status), *missing]


def round_rows(spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return the matrix of a figure of scores per round, every score the number of its round."""
    cells = [dict(cell) for cell in {tuple(c["cell"].items()): 0 for c in spec["curves"]}]
    rows = [{**cell, "round": number} for cell in cells for number in (0, *range(10, 101, 10))]
    frame = pd.DataFrame(rows)[[*rounds_figure.KEYS]]
    return frame.assign(**{task: frame["round"].astype(float) for task in spec["tasks"]})


def write_rounds(path: Path, settings: Mapping[str, Any], modalities: list[str]) -> None:
    """Write the history of a pretraining."""
    federation = settings["federation"]
    rng = np.random.default_rng(settings["seed"])
    rows = [
        {
            "round": number,
            "client": client,
            "modality": modality,
            "samples": 100 + client,
            "steps": 5,
            "loss": 5 / number**0.2 + rng.normal(0, 0.05),
            "seconds": 1.0,
        }
        for number in range(1, federation.get("rounds", 5) + 1)
        for client in range(round(federation.get("clients", 1) * federation.get("fraction", 1)))
        for modality in modalities
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def write_examples(plan: Plan) -> None:
    """Write three samples of each dataset that the page may show."""
    drawn = {"image": {"picture": DOT}, "audio": {"seconds": 1.0, "wave": [[-9, 9], [-1, 2]]}}
    classes = [f"class {label}" for label in range(10)]
    for name in example_datasets(plan):
        shown = drawn[plan.config["datasets"][name]["modality"]]
        samples = [{"position": at, "label": at, **shown} for at in range(3)]
        write_json(plan.paths.examples(name), {"classes": classes, "samples": samples})
