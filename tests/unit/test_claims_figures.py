"""The shipped claims on what the paper only draws: decided on the tables behind the figures."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fedssl.grid.splits import parse_split
from fedssl.paper.claims.claims import write_claims
from fedssl.paper.map_panels import figure_spec
from fedssl.paper.published import heading
from fedssl.paper.seeds import Seeds, write_seeds
from fedssl.paper.tables import COLUMNS
from tests.unit.figures import ROOT, shipped_plan

CLUSTERS = "clusters-better-than-audio-only"
FROM_30 = "audio-best-from-30-percent-both"
FROM_30_ON_AUDIO = "audio-best-from-30-percent-both-on-audio-clients"
FROM_50 = "image-best-from-50-percent-both"


def rows(table: str) -> list[tuple[str, str]]:
    """Return the rows and columns that the shipped configuration gives a figure's table."""
    plan = shipped_plan()
    if table == "figure3":
        panels = figure_spec(plan, "fssuavl_figure3")["panels"]
        return [(panel["row"], "silhouette by dataset") for panel in panels]
    declared = plan.grid.config["tables"][f"fssuavl_{table}"]
    return [
        (row["row"], heading(column["column"], "knn"))
        for row in declared["rows"]
        for column in declared["columns"]
    ]


def claims(
    folder: Path, table: str, value: Callable[[str, str], float], *, seeds: int = 3
) -> pd.Series:
    """Return the verdicts of the shipped claims on one made-up table, its seeds all alike."""
    made_up = [
        {"study": "fssuavl", "table": table, "row": row, "column": column, "verdict": "scaled"}
        | {"measured": value(row, column), "n_seeds": seeds}
        for row, column in rows(table)
    ]
    names = "0123"[:seeds]
    by_seed = (
        Seeds(
            row,
            column,
            None,
            dict.fromkeys(names, value(row, column)),
            models={seed: [f"{row}/seed{seed}/model.safetensors"] for seed in names},
        )
        for row, column in rows(table)
    )
    write_seeds(by_seed, folder / "table.seeds.json")
    pd.DataFrame(made_up, columns=list(COLUMNS)).to_csv(folder / "table.csv", index=False)
    published = sorted((ROOT / "config/published").glob("*.csv"))
    path = folder / "claims.csv"
    write_claims(ROOT / "config/claims.yaml", published, tables=[folder / "table.csv"], path=path)
    return pd.read_csv(path).set_index("id")["measured"]


def both(row: str) -> int:
    """Return a row's percentage of clients with both modalities; random init has none."""
    return parse_split(row.split()[1]).both if " a" in row else 0


def test_the_silhouettes_decide_which_encoder_clusters_better(tmp_path):
    better = claims(tmp_path, "figure3", lambda row, _: 0.1 if "FASSL" in row else 0.2)
    assert better[CLUSTERS] == "holds"
    one = claims(tmp_path, "figure3", lambda row, _: 0.1 if "FVSSL ViT" in row else 0.2)
    assert one[CLUSTERS] == "fails"
    alone = claims(tmp_path, "figure3", lambda row, _: 0.1 if "FASSL" in row else 0.2, seeds=1)
    assert alone[CLUSTERS] == "undecided"


@pytest.mark.parametrize(
    ("table", "claim", "column"),
    [("figure4a", FROM_30, "Avg. audio kNN"), ("figure4b", FROM_30_ON_AUDIO, "Avg. audio kNN")],
)
def test_the_sweeps_decide_from_where_on_audio_is_best(tmp_path, table, claim, column):
    def peak(at: int) -> str:
        found = claims(
            tmp_path, table, lambda row, name: 50.0 - abs(both(row) - at) if name == column else 0.0
        )
        return str(found[claim])

    assert {at: peak(at) for at in (0, 10, 30, 100)} == {
        0: "fails",
        10: "fails",
        30: "holds",
        100: "holds",
    }


def test_one_seed_does_not_tell_where_it_is_best(tmp_path):
    found = claims(tmp_path, "figure4a", lambda row, _: float(both(row)), seeds=1)
    assert found[FROM_30] == "undecided"


def test_one_sweep_alone_leaves_what_is_said_of_both_undecided(tmp_path):
    found = claims(tmp_path, "figure4a", lambda row, _: float(both(row)))
    assert found[FROM_50] == "not-run" and found[FROM_30] == "holds"
