"""Tables 4 and 5: where each number comes from, what a row cannot have, what encoders weigh."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from fedssl.errors import UserError
from fedssl.evaluation import plan_pairs
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import Layer, merge
from fedssl.grid.paired_protocols import PAIRED_PROTOCOLS, paired_protocols
from fedssl.grid.paths import ResultPaths
from fedssl.grid.plan import Plan
from fedssl.paper.products.table import metric_files, table_spec
from fedssl.paper.published import read_published
from fedssl.paper.tables import COLUMNS, build_table, write_table

ROOT = Path(__file__).parents[2]
IMAGE, AUDIO, BOTH = "a0-i100-b0", "a100-i0-b0", "a0-i0-b100"


def shipped(**changes: Any) -> Grid:
    config: dict[str, Any] = {}
    for name in ("config", "experiments", "datasets"):
        config = merge(config, yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    return Grid(merge(config, {"seeds": [0]} | changes), [Layer("extra.yaml", changes)])


def published(table: str) -> Path:
    return ROOT / f"config/published/{table}.csv"


def test_a_specialist_has_no_score_of_what_it_was_not_trained_on() -> None:
    assert paired_protocols(IMAGE) == ("transfer", "knn-v")
    assert paired_protocols(AUDIO) == ("transfer", "knn-a")
    assert paired_protocols(f"{IMAGE}+{AUDIO}") == ("knn-av",)
    for split in (BOTH, "a50-i50-b0", "a33-i33-b34", "a90-i0-b10"):
        assert paired_protocols(split) == PAIRED_PROTOCOLS


@pytest.mark.parametrize(("table", "numbers"), [("fssuavl_table4", 12), ("fssuavl_table5", 24)])
def test_every_published_number_is_measured_by_a_metric_file(table: str, numbers: int) -> None:
    spec = table_spec(shipped(), table, ResultPaths("results"))
    columns = {(c["column"], c["protocol"]): (c["score"], *c["tasks"]) for c in spec["columns"]}
    cells = {row["row"]: row["cells"][0]["metrics"] for row in spec["rows"]}
    records = read_published([published(table)]).to_dict("records")
    files = set()
    for record in records:
        score, task = columns[record["column"], record["protocol"]]
        files.add(cells[record["row"]][score][task])
    assert len(records) == len(files) == numbers
    inputs = metric_files(spec)
    assert files <= set(inputs)
    # The other reading of table 4 and the random starts have no number in print.
    unprinted = ("/fine-tune.json", "random-init")
    assert all(any(part in path for part in unprinted) for path in set(inputs) - files)


def test_files_are_those_of_the_rows_encoder_and_the_columns_input() -> None:
    spec = table_spec(shipped(), "fssuavl_table5", ResultPaths("r"))
    rows = {row["row"]: row["cells"][0] for row in spec["rows"]}
    folder = "fssuavl/simclr/vit/fedavg"
    image, audio = (f"r/pretrain/{folder}/{s}/base/seed0/model.safetensors" for s in (IMAGE, AUDIO))
    assert rows["FVSSL+FASSL ViT"]["cell"] == f"{image} {audio}"
    both = f"r/evaluate/{folder}/{IMAGE}+{AUDIO}/base/seed0"
    assert rows["FVSSL+FASSL ViT"]["metrics"] == {
        "knn-av": {t: f"{both}/{t}/knn-av.json" for t in ("advance", "mnist-fsdd")}
    }
    assert rows["FASSL ViT"]["metrics"] == {
        "knn-a": {
            t: f"r/evaluate/{folder}/{AUDIO}/base/seed0/{t}/knn-a.json"
            for t in ("advance", "mnist-fsdd")
        }
    }


def test_two_specialists_are_declared_only_where_both_are() -> None:
    cells = {"method": ["simclr"], "aggregator": ["fedavg"], "variant": ["base"]}
    study = {"cells": [cells | {"arch": ["vit"], "split": [IMAGE, BOTH]}]}
    spec = table_spec(shipped(studies={"fssuavl": study}), "fssuavl_table5", ResultPaths("r"))
    declared = {row["row"] for row in spec["rows"] if row["declared"]}
    assert declared == {"FVSSL ViT", "FSSUAVL ViT", "random init ViT"}


def planned(grid: Grid) -> Plan:
    return Plan(grid, ResultPaths("r"), ROOT)


def job(split: str, **changes: str) -> SimpleNamespace:
    """Return the wildcards of a job on MNIST and FSDD."""
    axes = {"study": "fssuavl", "method": "simclr", "arch": "vit", "aggregator": "fedavg"}
    axes |= {"split": split, "variant": "base", "seed": "0", "task": "mnist-fsdd"}
    return SimpleNamespace(**axes | changes)


def test_a_job_has_the_image_specialist_see_and_the_audio_specialist_hear() -> None:
    plan = planned(shipped())
    models = {
        split: f"r/pretrain/fssuavl/simclr/vit/fedavg/{split}/base/seed0/model.safetensors"
        for split in (IMAGE, AUDIO, BOTH)
    }
    banks = {"image_bank": "r/banks/mnist/bank.json", "audio_bank": "r/banks/fsdd/bank.json"}
    heard = {"normalisation": "r/normalisation/fssuavl/vggsound.json"}
    two = {"image_model": models[IMAGE], "audio_model": models[AUDIO]}
    assert plan_pairs.pair_inputs(plan, job(f"{IMAGE}+{AUDIO}")) == two | banks | heard
    assert plan_pairs.pair_inputs(plan, job(IMAGE)) == {"model": models[IMAGE]} | banks
    assert plan_pairs.pair_inputs(plan, job(AUDIO)) == {"model": models[AUDIO]} | banks | heard
    assert plan_pairs.pair_inputs(plan, job(BOTH)) == {"model": models[BOTH]} | banks | heard
    assert plan_pairs.random_init_pair_inputs(plan, job(BOTH)) == banks | heard


def test_a_jobs_settings_say_what_its_encoder_knows_and_how_pairs_are_found() -> None:
    plan = planned(shipped())
    found = {
        s: plan_pairs.pair_settings(plan, job(s)) for s in (IMAGE, AUDIO, BOTH, f"{IMAGE}+{AUDIO}")
    }
    known = [settings["modalities"] for settings in found.values()]
    assert known == [["image"], ["audio"], ["image", "audio"], ["image", "audio"]]
    assert plan_pairs.random_init_pair_settings(plan, job(BOTH, seed="2"))["seed"] == 2
    by = {
        task: plan_pairs.pair_settings(plan, job(BOTH, task=task))["by"]
        for task in ("advance", "mnist-fsdd")
    }
    assert by == {"advance": "name", "mnist-fsdd": "label"}
    assert found[BOTH]["encoder"]["arch"] == "vit" and found[BOTH]["split"] == "test"


def test_a_specialist_is_shown_both_where_the_configuration_says_so() -> None:
    plan = planned(shipped(evaluation={"specialists_see": "both"}))
    for split in (IMAGE, AUDIO):
        assert plan_pairs.pair_settings(plan, job(split))["modalities"] == ["image", "audio"]
        assert "normalisation" in plan_pairs.pair_inputs(plan, job(split))


def test_a_variant_of_other_views_has_a_random_encoder_of_its_own() -> None:
    cells = {"method": ["simclr"], "arch": ["resnet18"], "aggregator": ["fedavg"], "split": [BOTH]}
    variants = ["base", "constant-lr", "per-sample-normalisation"]
    grid = shipped(studies={"fssuavl": {"cells": [cells | {"variant": variants}]}})
    names = {cell.variant: grid.initial_variant(cell) for cell in grid.select(study="fssuavl")}
    assert names == {variants[0]: "base", variants[1]: "base", variants[2]: variants[2]}
    plan = planned(grid)
    settings = plan_pairs.random_init_pair_settings(
        plan, job("", arch="resnet18", variant=variants[2])
    )
    assert settings["audio"]["normalisation"] == "sample"


def measured(spec: dict[str, Any], folder: Path, *, parameters: int) -> dict[str, Any]:
    """Write every metric file of a table's spec, at 50 percent."""
    for row in spec["rows"]:
        for cell in row["cells"]:
            for score, paths in cell["metrics"].items():
                for task, path in paths.items():
                    paths[task] = str(folder / path)
                    metric = {"task": task, "protocol": score, "value": 50.0, "n_eval": 300}
                    metric |= {"predictions": "x.parquet", "parameters": parameters}
                    Path(paths[task]).parent.mkdir(parents=True, exist_ok=True)
                    Path(paths[task]).write_text(json.dumps(metric))
    return spec


def test_what_an_encoder_cannot_score_is_no_row_of_the_table(tmp_path: Path) -> None:
    spec = measured(
        table_spec(shipped(), "fssuavl_table5", ResultPaths("r")), tmp_path, parameters=1
    )
    frame, _ = build_table(spec, published=read_published([published("fssuavl_table5")]))
    inputs = {
        row: {column.split()[1] for column in part["column"]}
        for row, part in frame.groupby("row", sort=False)
    }
    assert inputs["FVSSL R-18"] == {"V"} and inputs["FASSL ViT"] == {"A"}
    assert inputs["FVSSL+FASSL R-18"] == {"A+V"}
    assert inputs["FSSUAVL ViT"] == inputs["random init ViT"] == {"A+V", "V", "A"}
    paper = frame[~frame["row"].str.startswith("random init")]
    assert len(paper) == 24 and paper["published"].notna().all() and paper["measured"].eq(50).all()


def test_a_number_that_is_published_is_never_left_out(tmp_path: Path) -> None:
    """Even one that the row's encoder could not have: it shows as not run."""
    path = tmp_path / "published.csv"
    line = "fssuavl,5,FVSSL R-18,ADVANCE A,knn,12.5,,"
    path.write_text(f"{published('fssuavl_table5').read_text().splitlines()[0]}\n{line}\n")
    frame, _ = build_table(
        table_spec(shipped(), "fssuavl_table5", ResultPaths("r")), published=read_published([path])
    )
    (record,) = frame[frame["published"].notna()].to_dict("records")
    assert (record["row"], record["column"], record["verdict"]) == (
        "FVSSL R-18",
        "ADVANCE A kNN",
        "not-run",
    )


@pytest.mark.parametrize(("scale", "text"), [("paper", "11,242,176"), ("scaled", "11,242,176†")])
def test_parameters_are_counted_in_a_column_for_readers_only(
    scale: str, text: str, tmp_path: Path
) -> None:
    outputs = {kind: tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex")}
    outputs["seeds"] = tmp_path / "table.seeds.json"
    grid = shipped(scale={"kind": scale, "note": "x"})
    spec = measured(
        table_spec(grid, "fssuavl_table5", ResultPaths("r")), tmp_path, parameters=11_242_176
    )
    write_table(spec | {"published": [published("fssuavl_table5")]}, outputs)
    lines = outputs["md"].read_text().splitlines()
    assert lines[2].startswith("|  | parameters | ADVANCE A+V kNN |")
    assert any(line.startswith(f"| FVSSL+FASSL R-18 | {text} (24M) | 50.00") for line in lines)
    assert any(line.startswith(f"| random init ViT | {text} | 50.00") for line in lines)
    text = outputs["csv"].read_text()
    assert text.splitlines()[0] == ",".join(COLUMNS) and "11242176" not in text


def test_parameters_of_what_was_not_run_are_not_run(tmp_path: Path) -> None:
    outputs = {kind: tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex")}
    outputs["seeds"] = tmp_path / "table.seeds.json"
    spec = table_spec(shipped(), "fssuavl_table5", ResultPaths(str(tmp_path / "none")))
    write_table(spec | {"published": [published("fssuavl_table5")]}, outputs)
    assert "| FVSSL ViT | not run (15M) | — | not run (40.83) |" in outputs["md"].read_text()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"pair": "mnist"},
            "pairs[0].pair is 'mnist', the name of a dataset, a task or another pair",
        ),
        ({"image": "mnits"}, "pairs[0].image names 'mnits', which is no dataset (did you mean"),
        ({"audio": "mnist"}, "pairs[0].audio names 'mnist', a dataset of modality image"),
        ({"split": "dev"}, "pairs[0] needs the split 'dev' of mnist, which has train, test"),
        ({"split": "train"}, "pairs[0].split is 'train', the samples that every score learns"),
        ({"image": "cifar10", "audio": "vggsound"}, None),
    ],
)
def test_a_pair_that_does_not_fit_its_datasets_is_named(
    changes: dict[str, str], says: str | None
) -> None:
    pair = {"pair": "p", "image": "mnist", "audio": "fsdd", "split": "test", "by": "label"}
    study = {"fssuavl": {"pairs": [pair | changes]}}
    if says is None:
        assert shipped(studies=study).pairs("fssuavl")[0].image == "cifar10"
        return
    with pytest.raises(UserError) as error:
        shipped(studies=study)
    assert f"extra.yaml: studies.fssuavl.{says}" in str(error.value)


def test_two_pairs_of_one_name_are_refused() -> None:
    pair = {"pair": "p", "image": "mnist", "audio": "fsdd", "split": "test", "by": "label"}
    with pytest.raises(
        UserError, match=r"pairs\[1\]\.pair is 'p', the name of a dataset, a task or"
    ):
        shipped(studies={"fssuavl": {"pairs": [pair, pair | {"split": "train"}]}})
