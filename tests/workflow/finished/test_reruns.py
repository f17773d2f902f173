"""Which jobs run again after which edit: exactly those that the edit can change."""

from pathlib import Path

import pytest

from tests.workflow.project import CONFIG, Project

CELLS = 3
# Tables show the base FedAvg cell only, so another cell's change leaves them alone.
ONE_CELL = {"pretrain": 1, "evaluate": 1, "gains": 1, "loss_figure": 1}
# These read all records, which have times: a job that runs again changes its own.
ALWAYS = {"timeline_figure": 1, "certificate": 1, "report_page": 1}
ONE_CELL |= {"communication": 1, "cost_figure": 1, **ALWAYS}
ALL_CELLS = ONE_CELL | {"pretrain": CELLS, "evaluate": CELLS}
ALL_CELLS |= {"fine_tune": 1, "table": 2, "contrasts": 1, "claims": 1}
GRID = "tests/workflow/grid.yaml"


def test_a_finished_run_has_nothing_to_do(finished: Project) -> None:
    assert finished.planned() == {}


@pytest.mark.parametrize("name", ["workflow/scripts/pretrain.py", "src/fedssl/data/banks/bank.py"])
def test_a_touched_file_reruns_nothing(edited: Project, name: str) -> None:
    edited.touch(name)
    assert edited.planned() == {}


def test_a_missing_record_reruns_its_job_although_only_outputs_are_asked_for(
    edited: Project,
) -> None:
    """A job that is killed before it has written its record leaves whole outputs."""
    score = min(edited.root.glob("results/**/evaluate/*/simclr/**/knn.json"))
    figure = min(edited.root.glob("results/**/figures/*_loss.pdf"))
    targets = [str(path.relative_to(edited.root)) for path in (score, figure)]
    assert edited.planned("--", *targets) == {}
    for record in (score.with_name("provenance.json"), figure.with_suffix(".provenance.json")):
        edited.remove(str(record.relative_to(edited.root)))
    assert edited.planned("--", *targets) == {"evaluate": 1, "loss_figure": 1}


def test_a_comment_and_a_docstring_rerun_nothing(edited: Project) -> None:
    edited.edit("src/fedssl/aggregators/fedavg.py", "# why\n{}".format)
    edited.edit("src/fedssl/methods/simclr.py", lambda text: text.replace('"""SimCLR:', '"""S:'))
    assert edited.planned() == {}


def test_an_edited_script_reruns_its_rule(edited: Project) -> None:
    edited.edit("workflow/scripts/claims.py", "{}\nprint()\n".format)
    assert edited.planned() == {"claims": 1, "certificate": 1, "report_page": 1}


def test_an_edit_of_one_kind_of_table_rewrites_its_tables_alone(edited: Project) -> None:
    edited.edit("src/fedssl/paper/products/gains.py", "{}\nX = 1\n".format)
    assert edited.planned() == {"gains": 1, "cost_figure": 1, **ALWAYS}


def test_an_edited_template_rewrites_the_page_alone(edited: Project) -> None:
    edited.edit("src/fedssl/paper/page/templates/page.css", "{}\n/* */\n".format)
    assert edited.planned() == {"report_page": 1}


def test_an_edited_aggregator_reruns_its_cells(edited: Project) -> None:
    edited.edit("src/fedssl/aggregators/fairavg.py", "{}\nX = 1\n".format)
    plan = edited.plan()
    assert plan.jobs == ONE_CELL
    assert plan.models == {"simclr resnet18 fairavg a0-i100-b0 base"}


def test_an_edited_helper_of_both_reruns_both(edited: Project) -> None:
    edited.edit("src/fedssl/aggregators/accumulator.py", "{}\nX = 1\n".format)
    assert edited.planned() == ALL_CELLS


def test_an_edited_reader_reruns_what_reads_its_dataset(edited: Project) -> None:
    edited.edit("src/fedssl/data/readers/cifar10.py", "{}\nX = 1\n".format)
    planned = edited.planned()
    assert planned["bank_images"] == 1 and "pretrain" not in planned
    assert planned["evaluate"] == CELLS


def test_archives_made_anew_are_followed_to_the_end(edited: Project) -> None:
    """Snakemake plans nothing behind an `ancient` file that the same run updates."""
    edited.edit("src/fedssl/data/made_up/media.py", "{}\nX = 1\n".format)
    planned = edited.planned()
    assert planned["synthesise"] >= 1
    assert planned["bank_images"] >= 1 and planned["pretrain"] == CELLS and planned["claims"] == 1


def test_an_edit_of_what_only_watches_reruns_nothing(edited: Project) -> None:
    edited.edit("src/fedssl/progress.py", "{}\nX = 1\n".format)
    edited.edit("src/fedssl/data/fetch/verify.py", "{}\nX = 1\n".format)
    edited.edit("src/fedssl/paper/plan.py", "{}\nX = 1\n".format)
    assert edited.planned() == {}


def test_one_setting_of_one_cell_reruns_that_cell(edited: Project) -> None:
    edited.edit(GRID, lambda text: text.replace("local_epochs: 1", "local_epochs: 3"))
    plan = edited.plan()
    assert plan.jobs == ONE_CELL
    assert plan.models == {"simclr resnet18 fedavg a0-i100-b0 e1"}


def test_two_swapped_settings_rerun_that_cell(edited: Project) -> None:
    before, after = "0.7, blur_probability: 0.6", "0.6, blur_probability: 0.7"
    edited.edit(GRID, lambda text: text.replace(before, after))
    plan = edited.plan()
    assert plan.jobs == ONE_CELL
    assert plan.models == {"simclr resnet18 fedavg a0-i100-b0 e1"}


def test_reordered_settings_rerun_nothing(edited: Project) -> None:
    before = "jitter_probability: 0.7, blur_probability: 0.6"
    after = "blur_probability: 0.6, jitter_probability: 0.7"
    edited.edit(GRID, lambda text: text.replace(before, after))
    assert edited.planned() == {}


def test_a_new_cell_runs_alone(edited: Project) -> None:
    edited.edit(GRID, lambda text: text.replace("variant: [e1]", "variant: [e1]\n", 1))
    edited.edit(
        GRID,
        lambda text: text.replace(
            "aggregator: [fedavg]\n        split: [a0-i100-b0]",
            "aggregator: [fedavg, fairavg]\n        split: [a0-i100-b0]",
        ),
    )
    plan = edited.plan()
    assert plan.jobs == ONE_CELL
    assert plan.models == {"simclr resnet18 fairavg a0-i100-b0 e1"}


def test_a_fresh_clone_over_old_results_has_nothing_to_do(edited: Project) -> None:
    for path in edited.root.rglob("*"):
        below = path.relative_to(edited.root).parts[0]
        if path.is_file() and below not in ("results", ".snakemake"):
            edited.touch(str(path.relative_to(edited.root)))
    assert edited.planned() == {}


def test_results_that_snakemake_has_no_notes_of_hide_no_changed_setting(edited: Project) -> None:
    """Another spelling of the folder stands for every copy: Snakemake goes by the path."""
    moved = (*CONFIG, "--config", f"results_dir={edited.root}/results/demo")
    assert edited.planned(config=moved) == {}
    edited.edit(GRID, lambda text: text.replace("local_epochs: 1", "local_epochs: 3"))
    plan = edited.plan(config=moved)
    assert plan.jobs == ONE_CELL
    assert "federation.local_epochs: 1 -> 3" in plan.printed
    assert "/e1/seed0/provenance.json" in plan.printed
    edited.edit(
        GRID, lambda text: text.replace("rounds: 4", "rounds: 4\n  sharding: {min_samples: 1}")
    )
    planned = edited.planned(config=moved)
    assert planned["pretrain"] == CELLS and planned["shards"] == 1
    edited.restore()
    edited.edit(GRID, "evaluation: {{knn: {{k: 3}}}}\n{}".format)
    planned = edited.planned(config=moved)
    assert planned["evaluate"] == CELLS and "pretrain" not in planned


def test_old_results_that_were_put_back_are_seen(edited: Project) -> None:
    """Snakemake's notes are then of another job than the one that wrote them."""
    record = "results/demo/pretrain/fssuavl/simclr/resnet18/fairavg/a0-i100-b0/base/seed0"
    edited.edit(f"{record}/provenance.json", lambda text: text.replace('"lr": 0.03', '"lr": 0.9'))
    assert edited.planned() == ONE_CELL


def test_another_mirror_fetches_nothing_again(edited: Project) -> None:
    assert edited.planned(config=(*CONFIG, "--config", "mirror=/elsewhere")) == {}


def test_forcing_a_cell_reruns_it_and_what_hangs_on_it(edited: Project) -> None:
    folder = "results/demo/pretrain/fssuavl/simclr/resnet18/fedavg/a0-i100-b0/e1/seed0"
    model = f"{folder}/model.safetensors"
    assert edited.planned("--force", model) == {"pretrain": 1}
    planned = edited.planned("--forcerun", model, "--", "fssuavl_random_init")
    assert planned == {"pretrain": 1, "evaluate": 1, "gains": 1, "fssuavl_random_init": 1}


def test_a_checkout_that_moved_has_nothing_to_do(finished: Project, tmp_path: Path) -> None:
    assert finished.clone(tmp_path / "moved").planned() == {}
