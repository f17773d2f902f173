"""Studies of users' own: what is planned for them, and what it is called."""

import json
from typing import Any

import pytest

from fedssl.errors import UserError
from fedssl.grid.own_studies import only_asked
from fedssl.grid.plan import Plan
from fedssl.grid.targets import check_targets
from fedssl.paper.page.plan import page_spec
from fedssl.paper.plan import (
    certificate_spec,
    final_files,
    named_targets,
    published_files,
    study_files,
)
from fedssl.paper.products.registry import get_product, products
from fedssl.paper.products.table import table_spec
from tests.unit.figures import shipped_plan

IMAGES, SOUNDS = {"image": "cifar10"}, {"audio": "fsdd"}
TASKS = {
    "image": [{"task": "cifar10", "split": "test"}],
    "audio": [{"task": "fsdd", "split": "test"}],
}
PAIR = {"pair": "digits", "image": "mnist", "audio": "fsdd", "split": "test", "by": "label"}
PAPERS = ("fssuavl", "fassl", "fvssl", "model-comb", "vggsound", "tiny-imagenet")


def study(datasets: dict[str, str], *splits: str, **changes: Any) -> dict[str, Any]:
    cells = {"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"]}
    return {
        "title": "Things of mine",
        "datasets": datasets,
        "tasks": [task for modality in datasets for task in TASKS[modality]],
        "variants": {"base": {}, "e5": {}},
        "cells": [{**cells, "split": list(splits), "variant": ["base"]}],
    } | changes


def own_plan(**studies: dict[str, Any]) -> Plan:
    return shipped_plan(studies=studies, seeds=[0, 1])


ONE_MODALITY = [(IMAGES, "a0-i100-b0", "cifar10"), (SOUNDS, "a100-i0-b0", "fsdd")]
BOTH = {**IMAGES, **SOUNDS}


@pytest.mark.parametrize(("datasets", "split", "task"), ONE_MODALITY)
def test_a_study_of_one_modality_has_everything_and_nothing_of_the_papers(
    datasets: dict[str, str], split: str, task: str
) -> None:
    plan = own_plan(mine=study(datasets, split))
    assert plan.studies == ["mine"] and plan.papers == [] and plan.used_datasets == {task}
    assert {(kind, name) for kind, name in products(plan) if kind != "datasets"} == {
        ("table", "mine_accuracies"),
        ("shards_figure", "mine_shards"),
        ("gains", "mine_random_init"),
        ("communication", "mine_communication"),
        ("loss_figure", "mine_loss"),
        ("cost_figure", "mine_cost"),
        ("timeline_figure", "timeline"),
    }
    assert study_files(plan, "mine")[-3:] == final_files(plan)
    assert final_files(plan) == [
        "results/tables/datasets.csv",
        "results/certificate.md",
        "results/report/index.html",
    ]
    assert published_files(plan) == []
    with pytest.raises(UserError, match=r"no target 'fssuavl_table2', because .* mine, and so no"):
        check_targets(["fssuavl_table2"], plan.grid, plan.paths, named=named_targets(plan))


@pytest.mark.parametrize("splits", [["a0-i0-b100"], ["a0-i100-b0", "a50-i50-b0", "a33-i33-b34"]])
def test_no_name_of_the_papers_is_in_any_text(splits: list[str]) -> None:
    plan = own_plan(mine=study(BOTH, *splits))
    specs = [get_product(kind).spec(plan, name) for kind, name in products(plan)]
    texts = json.dumps([*specs, page_spec(plan), certificate_spec(plan)["studies"]]).lower()
    assert [name for name in PAPERS if name in texts.replace("tiny-imagenet/", "")] == []


def test_the_table_has_a_column_per_task_and_protocol_and_the_random_encoder() -> None:
    cells = study(BOTH, "a0-i0-b100", "a0-i100-b0")["cells"]
    cells[0]["variant"] = ["base", "e5"]
    spec = table_spec(own_plan(mine=study(BOTH, cells=cells)).grid, "mine_accuracies", _paths())
    assert [row["row"] for row in spec["rows"]] == [
        *("images+audio", "images+audio e5", "images", "images e5", "random init"),
    ]
    columns = [(c["column"], c["protocol"]) for c in spec["columns"]]
    tasks = ("CIFAR-10", "FSDD")
    assert columns == [(t, p) for p in ("knn", "linear-probe", "retrieval") for t in tasks]
    # All seeds and the same encoders before training are behind each number.
    assert all(len(row["cells"]) == 2 for row in spec["rows"])
    assert all("random_init" in cell for row in spec["rows"][:-1] for cell in row["cells"])


def test_a_variant_with_another_encoder_has_a_random_encoder_of_its_own() -> None:
    mine = study(BOTH, "a0-i100-b0")
    mine["variants"] = {"base": {}, "narrow": {"encoder": {"width": 8}}}
    mine["cells"][0]["variant"] = ["narrow"]
    alone = table_spec(own_plan(mine=mine).grid, "mine_accuracies", _paths())["rows"]
    assert [row["row"] for row in alone] == ["R-18 SimCLR FedAvg", "random init narrow"]
    mine["cells"][0]["variant"] = ["base", "narrow"]
    rows = table_spec(own_plan(mine=mine).grid, "mine_accuracies", _paths())["rows"]
    assert [row["row"] for row in rows[2:]] == ["random init", "random init narrow"]
    assert all(len(row["cells"]) == 2 for row in [*alone, *rows]), "two seeds"


def test_a_pair_without_a_table_is_scored_and_shown() -> None:
    plan = own_plan(mine=study(BOTH, "a0-i0-b100", "a0-i100-b0", pairs=[PAIR]))
    spec = get_product("table").spec(plan, "mine_accuracies")
    shown = {c["column"]: c["score"] for c in spec["columns"] if c["tasks"] == ["digits"]}
    assert shown == {
        "digits image+audio": "knn-av",
        "digits image": "knn-v",
        "digits audio": "knn-a",
        "digits": "transfer",
    }
    files = get_product("table").inputs(plan, "mine_accuracies")["metrics"]
    both, image = ([f for f in files if f"/{s}/" in f and "/digits/" in f] for s in _SPLITS)
    assert len(both) == 2 * 4, "two seeds"
    assert {f.rpartition("/")[2] for f in image} == {"knn-v.json", "transfer.json"}


_SPLITS = ("a0-i0-b100", "a0-i100-b0")


def test_datasets_of_one_title_have_columns_of_their_own() -> None:
    tasks = [
        {"task": "cifar10", "split": "test"},
        {"task": "again", "dataset": "cifar10", "split": "test"},
    ]
    datasets = {"cifar10": {"title": "Same, test"}, "mnist": {"title": "Same, test"}}
    plan = shipped_plan(
        studies={
            "mine": study(IMAGES, "a0-i100-b0", tasks=[*tasks, {**tasks[0], "task": "mnist"}])
        },
        datasets=datasets,
    )
    spec = get_product("table").spec(plan, "mine_accuracies")
    names = [c["column"] for c in spec["columns"] if c["protocol"] == "knn"]
    assert names == ["cifar10", "Same, test, test", "mnist"]


def test_a_table_of_the_same_name_takes_the_place_of_the_table_of_accuracies() -> None:
    mine = {
        "study": "mine",
        "table": "own",
        "title": "Fine-tuned",
        "protocols": ["fine-tune"],
        "columns": [{"column": "C-10", "tasks": ["cifar10"]}],
        "rows": [{"row": "SimCLR", "arch": "resnet18", "split": "a0-i100-b0"}],
    }
    studies = {"mine": study(IMAGES, "a0-i100-b0")}
    plan = shipped_plan(studies=studies, tables={"mine_accuracies": mine})
    assert get_product("table").spec(plan, "mine_accuracies")["title"] == "Fine-tuned"


def test_a_target_restricts_the_run_to_its_study() -> None:
    plan = own_plan(mine=study(IMAGES, "a0-i100-b0"), yours=study(SOUNDS, "a100-i0-b0"))
    config = plan.config
    assert only_asked(["mine"], config) == ["mine"]
    assert only_asked(["mine", "yours"], config) == ["mine", "yours"]
    for targets in ([], ["all"], ["mine", "results/cells.csv"], ["fssuavl"]):
        assert only_asked(targets, config) == []
    restricted = Plan(plan.grid, plan.paths, plan.checkout, plan.layers, plan.shipped, ["mine"])
    assert restricted.used_datasets == {"cifar10"}
    assert {cell.study for cell in restricted.cells} == {"mine"}
    assert {of for of in products(restricted).values() if of} == {"mine"}
    assert list(page_spec(restricted)["studies"]) == ["mine"]
    assert [study_files(plan, name)[-1] for name in plan.studies] == 2 * [final_files(plan)[-1]]


def test_without_an_own_study_with_cells_the_papers_are_planned_as_before() -> None:
    before, plan = shipped_plan(), own_plan(mine=study(IMAGES, cells=[]))
    assert before.papers == ["fssuavl", "fassl"] == plan.papers == plan.studies
    assert products(plan) == products(before)
    assert "results/claims.csv" in final_files(plan)
    assert not set(study_files(plan, "fassl")) & set(final_files(plan))


def _paths() -> Any:
    return own_plan(mine=study(IMAGES, "a0-i100-b0")).paths
