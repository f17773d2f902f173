"""The grid: what a study may declare, and what its tasks and shards are."""

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from fedssl.errors import UserError
from fedssl.evaluation.plan import fine_tune_settings, round_settings, score_settings
from fedssl.federation.plan import pretrain_inputs, pretrain_settings, pretrain_state
from fedssl.grid.paths import ResultPaths
from fedssl.grid.plan import Plan
from fedssl.paper.products.table import table_spec
from tests.unit.figures import ROOT, shipped, shipped_plan

BOTH = "a0-i0-b100"
COLUMN = [{"column": "C-10", "tasks": ["cifar10"]}]
EVERY = {
    **{"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"]},
    **{"split": ["a0-i100-b0"], "variant": ["other"]},
}


def with_tasks(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"studies": {"fssuavl": {"tasks": list(tasks)}}}


def test_a_second_split_of_a_dataset_is_a_task_of_its_own() -> None:
    grid, _ = shipped()
    lists = {task.task: task for task in grid.tasks("fssuavl")}
    official, test = lists["speech-commands"], lists["speech-commands-test"]
    assert (official.dataset, official.split) == ("speech-commands", "validation")
    assert (test.dataset, test.split) == ("speech-commands", "test")
    assert test.title == f"{official.title}, test" and test.modality == "audio"
    assert "speech-commands-test" in grid.task_names()
    assert "speech-commands-test" not in shipped_plan().used_datasets


def test_both_studies_score_both_lists_of_speech_commands() -> None:
    grid, _ = shipped()
    for study in ("fssuavl", "fassl"):
        lists = [t.split for t in grid.tasks(study) if t.dataset == "speech-commands"]
        assert lists == ["validation", "test"]
    columns = table_spec(grid, "fassl_table3", ResultPaths("r"))["columns"]
    assert ["speech-commands-test"] in [column["tasks"] for column in columns]


def test_a_second_split_is_a_column_of_its_own_and_nobody_fine_tunes_for_it() -> None:
    grid, _ = shipped()
    columns = table_spec(grid, "fssuavl_table3", ResultPaths("r"))["columns"]
    found = [c["protocol"] for c in columns if c["tasks"] == ["speech-commands-test"]]
    assert found == ["knn", "linear-probe"]
    tuned = [c["column"] for c in columns if c["protocol"] == "fine-tune"]
    assert tuned == ["Epic.K", "VGG.A", "KS2", "Avg."]


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        (
            [{"task": "mnist", "split": "test"}, {"task": "mnist", "split": "train"}],
            "tasks[1].task is 'mnist' a second time; give another split of it a name of its own, "
            "and dataset: mnist.",
        ),
        (
            [{"task": "mnist", "dataset": "cifar10", "split": "test"}],
            "tasks[0].task is 'mnist', the name of a dataset; a split of cifar10 needs a name of",
        ),
        (
            [{"task": "mine", "dataset": "cifar", "split": "test"}],
            "tasks[0].dataset names 'cifar', which is no dataset (did you mean cifar10?).",
        ),
        ([{"task": "mine", "split": "test"}], "tasks[0].task names 'mine', which is no dataset"),
        (
            [{"task": "mine", "dataset": "cifar10", "split": "dev"}],
            "tasks[0].split is 'dev'; cifar10 has train, test.",
        ),
        (
            [{"task": "cifar10", "split": "train"}],
            "tasks[0].split is 'train', the samples that every score learns from",
        ),
    ],
)
def test_a_task_that_does_not_fit_is_named(tasks: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(UserError) as error:
        shipped(**with_tasks(*tasks))
    assert f"--config: studies.fssuavl.{says}" in str(error.value)


@pytest.mark.parametrize(
    ("datasets", "split", "task", "says"),
    [
        ({"image": "cifar10"}, "a0-i0-b100", "cifar10", "audio, which the split a0-i0-b100 needs"),
        ({"audio": "fsdd"}, "a50-i50-b0", "fsdd", "image, which the split a50-i50-b0 needs"),
        ({"image": "cifar10"}, "a0-i100-b0", "fsdd", "audio, which the task fsdd needs"),
        ({"image": "cifar10"}, "a0-i100-b0", "cifar10", None),
        ({"audio": "fsdd"}, "a100-i0-b0", "fsdd", None),
        ({"audio": "fsdd"}, "a100-i0-b0", "cifar10", None),
    ],
)
def test_a_study_needs_the_modalities_of_its_splits_and_sounds_for_sounds(
    datasets: dict[str, str], split: str, task: str, says: str | None
) -> None:
    axes = {"method": "simclr", "arch": "resnet18", "aggregator": "fedavg", "variant": "base"}
    study = {
        "title": "Mine",
        "datasets": datasets,
        "tasks": [{"task": task, "split": "test"}],
        "variants": {"base": {}},
        "cells": [{**{axis: [name] for axis, name in axes.items()}, "split": [split]}],
    }
    if says is None:
        grid, _ = shipped(studies={"mine": study})
        assert {cell.split for cell in grid.select(study="mine")} == {split}
        return
    with pytest.raises(UserError, match=f"studies.mine.datasets lacks {says}; add"):
        shipped(studies={"mine": study})


def test_rounds_to_keep_that_a_cell_does_not_have_name_both_layers() -> None:
    with pytest.raises(UserError) as error:
        shipped(settings={"federation": {"rounds": 9}})
    said = str(error.value)
    assert said.startswith("--config: settings.federation.rounds is 9, but fssuavl/simclr/")
    assert "(experiments.yaml: studies.fssuavl.cells[" in said and "federation.kept_rounds)" in said
    own = {"variants": {"e1": {"federation": {"rounds": 3, "kept_rounds": [4]}}}}
    with pytest.raises(
        UserError, match=r"^--config: studies\.fssuavl\.variants\.e1\.fed.*rounds is 3"
    ):
        shipped(studies={"fssuavl": own})


def test_cells_that_share_their_shards_share_what_these_were_dealt_by() -> None:
    cells = {"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"], "split": [BOTH]}
    own = {
        "variants": {"floor": {"sharding": {"min_samples": 50}}},
        "cells": [cells | {"variant": ["base", "floor"]}],
    }
    with pytest.raises(UserError, match=r"floor.* has sharding\.min_samples 50, and another cell"):
        shipped(studies={"fssuavl": own})[0].shardings()


@pytest.mark.parametrize(
    "part",
    [
        {"encoder": {"width": 32}},
        {"audio": {"normalisation": "sample"}},
        {"image": {"size": 64}},
        {"audio": {"size": 64}},
    ],
)
def test_an_encoder_of_its_own_needs_the_name_of_a_variant(part: dict[str, Any]) -> None:
    """Else its gain would be measured from another random encoder than it started from."""
    cell = {"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"], "split": [BOTH]}
    entry = {**cell, "variant": ["base"], "settings": part}
    (name,) = part
    with pytest.raises(UserError, match=rf"cells\[0\]\.settings\.{name} changes the random"):
        shipped(studies={"fssuavl": {"cells": [entry]}})
    grid, _ = shipped(studies={"fssuavl": {"cells": [{**entry, "settings": {}}]}})
    assert {grid.initial_variant(cell) for cell in grid.select(study="fssuavl")} == {"base"}


def images(study: dict[str, Any], **variant: Any) -> Any:
    """Return the grid of a study that trains on images alone, with a variant `other`."""
    axes = {"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"]}
    own = {
        "title": "Mine",
        "tasks": [{"task": "cifar10", "split": "test"}],
        "variants": {"base": {}, "other": variant},
        "cells": [{**axes, "split": ["a0-i100-b0"], "variant": ["base", "other"]}],
    }
    return shipped(studies={"mine": own | study}, seeds=[0])[0]


def test_a_variant_is_pretrained_on_images_of_its_own() -> None:
    grid = images({"datasets": {"image": "tiny-imagenet"}}, datasets={"image": "cifar10"})
    base, other = grid.cells
    assert [grid.datasets(cell) for cell in grid.cells] == [
        {"image": "tiny-imagenet"},
        {"image": "cifar10"},
    ]
    assert grid.settings(other) == {**grid.settings(base), "datasets": {"image": "cifar10"}}
    assert grid.initial_variant(other) == "base", "the same random encoder"
    plan = Plan(grid, ResultPaths("r"), ROOT)
    assert pretrain_inputs(plan, SimpleNamespace(**other.all_axes)) == {
        "image_bank": "r/banks/cifar10/bank.json",
        "image_shards": "r/shards/cifar10/dirichlet-0.1-100/seed0.json",
    }
    # A cell without images has none of the variant's.
    audio = {"datasets": {"audio": "fsdd"}, "cells": [EVERY | {"split": ["a100-i0-b0"]}]}
    (cell,) = (grid := images(audio, datasets={"image": "cifar10"})).cells
    assert grid.datasets(cell) == {"audio": "fsdd"}


def test_images_of_a_variant_are_enough_if_all_cells_are_of_it() -> None:
    own = {"image": "cifar10"}
    grid = images({"datasets": {}, "cells": [EVERY]}, datasets=own)
    assert [grid.datasets(cell) for cell in grid.cells] == [own]
    with pytest.raises(UserError, match=r"studies\.mine\.datasets lacks image, which the split"):
        images({"datasets": {}}, datasets=own)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cifar", "names 'cifar', which is no image dataset (did you mean cifar10?)"),
        ("fsdd", "names 'fsdd', which is no image dataset"),
    ],
)
def test_a_variant_names_a_declared_dataset_of_images(name: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        images({"datasets": {"image": "tiny-imagenet"}}, datasets={"image": name})
    assert f"studies.mine.variants.other.datasets.image {says}" in str(error.value)


def test_a_variant_with_images_of_another_size_starts_from_an_encoder_of_its_own() -> None:
    grid = images({"datasets": {"image": "cifar10"}}, image={"size": 32})
    assert [grid.settings(cell)["image"]["size"] for cell in grid.cells] == [128, 32]
    assert [grid.initial_variant(cell) for cell in grid.cells] == ["base", "other"]
    row = {"row": "start", "arch": "resnet18", "random_init": True}
    table = {"study": "mine", "table": "1", "title": "", "protocols": ["knn"], "columns": COLUMN}
    table["rows"] = [row, {**row, "variant": "other"}]
    grid.config["tables"]["t"] = table
    before = [
        made["cells"][0]["metrics"]["knn"]["cifar10"]
        for made in table_spec(grid, "t", ResultPaths("r"))["rows"]
    ]
    start = "r/evaluate/mine/random-init/resnet18"
    assert before == [f"{start}/{variant}/seed0/cifar10/knn.json" for variant in ("base", "other")]


def test_every_declared_number_that_nothing_is_held_to_is_published() -> None:
    tables = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["tables"]
    for name, table in tables.items():
        for place in table.get("not_held_to", ()):
            files = (ROOT / "config/published").glob(f"{table['study']}*.csv")
            lines = [line for file in files for line in file.read_text().splitlines()]
            start = f"{table['study']},{table['table']},{place['row']},{place['column']},"
            assert any(line.startswith(start + place["protocol"]) for line in lines), name


def test_planning_the_jobs_of_a_cell_leaves_its_settings_unchanged() -> None:
    plan = shipped_plan("demo.yaml")
    before = {cell: deepcopy(plan.grid.settings(cell)) for cell in plan.grid.cells}
    for cell in plan.grid.cells:
        wildcards = SimpleNamespace(**cell.all_axes)
        assert pretrain_settings(plan, wildcards) == before[cell]
        pretrain_state(plan, wildcards)
        for task in plan.grid.tasks(cell.study):
            wildcards.task = task.task
            for settings in (score_settings, round_settings, fine_tune_settings):
                settings(plan, wildcards)
    assert {cell: plan.grid.settings(cell) for cell in plan.grid.cells} == before


def test_a_selection_has_the_cells_with_all_of_the_values_and_no_others() -> None:
    grid, _ = shipped()
    chosen = grid.select(study="fssuavl", arch="vit", seed=1)
    others = [cell for cell in grid.cells if cell not in chosen]
    assert chosen and {(c.study, c.arch, c.seed) for c in chosen} == {("fssuavl", "vit", 1)}
    assert ("fssuavl", "vit", 1) not in {(c.study, c.arch, c.seed) for c in others}
    assert grid.select() == list(grid.cells)
