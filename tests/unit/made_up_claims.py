"""Made-up claims and tables, and their rows in `claims.csv`."""

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fedssl.paper.claims.claims import COLUMNS, write_claims
from fedssl.paper.seeds import Seeds, write_seeds
from fedssl.paper.tables import COLUMNS as TABLE_COLUMNS

SEEDS_FILE = "table.seeds.json"
PREDICATE = {
    "compare": "mean",
    "left": {"table": "1", "row": "ours", "column": "A", "protocol": "knn"},
    "relation": ">",
    "right": {"table": "1", "row": "theirs", "column": "A", "protocol": "knn"},
}
CLAIM = {
    "id": "better",
    "paper": "fssuavl",
    "section": "1",
    "quote": "ours is better",
    "reading": "above",
    "predicate": PREDICATE,
}
NUMBERS = """study,table,row,column,protocol,value,page,note
fssuavl,1,ours,A,knn,12,,
fssuavl,1,theirs,A,knn,10,,
"""


def write_yaml(folder: Path, *claims: dict[str, Any]) -> Path:
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(claims)}))
    return path


def row(name: str, **changes: Any) -> dict[str, Any]:
    """Return a row of a table CSV; what is not given is empty."""
    base = dict.fromkeys(TABLE_COLUMNS, "")
    keys = {"study": "fssuavl", "table": "1", "row": name, "column": "A kNN", "verdict": "not-run"}
    given = base | keys | {"protocol": "knn"} | changes
    return given | {"task": given["column"].split()[0]}


def results(folder: Path, rows: list[dict[str, Any]], *claims: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of claims on a measured table."""
    (folder / "numbers.csv").write_text(NUMBERS)
    write_seeds((seeds for row in rows for seeds in row.pop("seeds", [])), folder / SEEDS_FILE)
    pd.DataFrame(rows, columns=list(TABLE_COLUMNS)).to_csv(folder / "table.csv", index=False)
    write_claims(
        write_yaml(folder, *claims),
        [folder / "numbers.csv"],
        tables=[folder / "table.csv", folder / "missing.csv"],
        path=folder / "claims.csv",
    )
    frame = pd.read_csv(folder / "claims.csv", keep_default_na=False)
    assert tuple(frame.columns) == COLUMNS
    return frame


def result(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return the row of one claim on a measured table."""
    return results(folder, rows, CLAIM | changes).to_dict("records")[0]


SPREAD = (-0.5, 0.0, 0.5)  # points, of three seeds


def measured(name: str, value: float, *spread: float, verdict: str = "differs", **key: Any) -> Any:
    """Return a measured row of a table CSV, and what its seeds measured."""
    model = key.pop("model", name)
    given = row(name, measured=value, verdict=verdict, n_seeds=len(spread), **key)
    values = {str(seed): value + own for seed, own in enumerate(spread)}
    models = {seed: [f"pretrain/{model}/seed{seed}/model.safetensors"] for seed in values if model}
    return given | {"seeds": [Seeds(name, given["column"], 0.5, values, models=models)]}
