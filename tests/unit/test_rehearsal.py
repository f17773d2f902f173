"""A rehearsal: which jobs stand for their kind, what is measured, and what a job then costs."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fedssl.ahead import ahead
from fedssl.command.budget import _needed, _sources, _too_small
from fedssl.command.costs import Estimator, JobCost, costs
from fedssl.command.dry_run import PlannedJob
from fedssl.grid.cell import Cell
from fedssl.grid.configuration import command_line
from fedssl.grid.plan import Plan
from fedssl.rehearsal.costs import rehearsed_seconds
from fedssl.rehearsal.meter import Meter
from fedssl.rehearsal.plan import budget_command, rehearsed_files, step_kind, trained_cells
from fedssl.rehearsal.rates import Rate, read_table, write_rates, write_table
from fedssl.rehearsal.scoring import rehearse_evaluation, rehearse_fine_tuning, rehearse_rounds
from fedssl.rehearsal.training import rehearse_pretraining
from tests.unit.federations import SETTINGS, lay_out
from tests.unit.figures import shipped_plan
from tests.unit.test_evaluate_pairs import SETTINGS as PAIRS

NAMES = {"rule": "pretrain", "study": "s", "arch": "resnet18", "method": "simclr", "kind": "k"}
RATE = Rate(
    **NAMES,
    modality="image",
    samples=1000,
    steps=4,
    seconds_per_step=2.0,
    seconds_per_sample=0.01,
    fixed_seconds=3.0,
    setup_seconds=0.5,
    waiting=0.1,
    read_mb_s=5.0,
    host_mb=700,
    gpu_mb=9000,
    device="A40",
    threads=1,
)
CELL = Cell("fssuavl", "simclr", "resnet18", "fedavg", "a0-i0-b100", "base", 0)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("rehearsal"))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return shipped_plan(results="no-results")


def wildcards(cell: Cell, **further: str) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(cell).items()} | further


def test_each_cell_has_a_kind_that_is_rehearsed(plan: Plan) -> None:
    rehearsed = [step_kind(plan.grid, cell) for cell in trained_cells(plan)]
    assert len(set(rehearsed)) == len(rehearsed)
    assert {step_kind(plan.grid, cell) for cell in plan.grid.cells} == set(rehearsed)
    # Rules and seeds share a kind; methods, encoders and data do not.
    kind = step_kind(plan.grid, CELL)
    assert step_kind(plan.grid, replace(CELL, split="a33-i33-b34")) == kind
    for other in ({"arch": "vit"}, {"split": "a0-i100-b0"}):
        assert step_kind(plan.grid, replace(CELL, **other)) != kind
    assert len(list(rehearsed_files(plan))) < 60, "of 2,000 jobs and more"


def test_a_pretraining_is_measured_by_modality_on_real_clients(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    rates = rehearse_pretraining(SETTINGS, inputs=inputs, folder=tmp_path, of=NAMES)
    assert [rate.modality for rate in rates] == ["audio", "image"]
    for rate in rates:
        assert rate.samples == 60, "all training samples of the modality, and not those measured"
        # Two clients of 4 x 0.5, with at most 4 batches of 8.
        assert 2 <= rate.steps <= 8
        assert rate.seconds_per_step > rate.seconds_per_sample > 0 < rate.fixed_seconds
        assert rate.device == "CPU" and rate.gpu_mb == 0 and rate.host_mb > 100
        assert 0 < rate.waiting < 1 and rate.read_mb_s > 0


def test_scoring_and_fine_tuning_are_measured(inputs: dict[str, str]) -> None:
    task = {"bank": inputs["image_bank"]}
    protocols = {key: PAIRS[key] for key in ("knn", "linear-probe")}
    common = {
        **{key: SETTINGS[key] for key in ("audio", "encoder", "image", "portable", "threads")},
        "seed": 0,
        "split": "test",
    }
    rounds = common | {"retrieval": {"ks": [1]}, "recalibrate_batch_norm": False}
    folder = Path(inputs["image_bank"]).parent
    names = NAMES | {"rule": "evaluate"}
    [rate] = rehearse_evaluation(rounds | protocols, inputs=task, folder=folder, of=names)
    assert rate.samples == 80 and rate.steps == 1 and rate.fixed_seconds > 0
    [rate] = rehearse_rounds(rounds, inputs=task, of=NAMES | {"rule": "score_rounds"})
    assert rate.samples == 80 and rate.fixed_seconds > 0
    probe = {k: v for k, v in PAIRS["linear-probe"].items() if k != "standardise"}  # type: ignore[attr-defined]
    tuned: dict[str, Any] = {
        "fine-tune": {**probe, "augmentation": {"crop": 0.9, "flip_probability": 0.5}}
    }
    own = common | tuned | {"precision": "fp32"}
    [rate] = rehearse_fine_tuning(own, inputs=task, of=NAMES | {"rule": "fine_tune"})
    assert rate.samples == 60 and rate.steps == 4 and rate.fixed_seconds > 0


def waiting(meter: Meter) -> float:
    return meter.rate(NAMES, modality="image", samples=1, steps=1, passed=1, warm_up=0.0).waiting


def test_waiting_is_the_time_until_an_item_is_there() -> None:
    def slow() -> Any:
        for item in range(3):
            torch.rand(1500, 1500) @ torch.rand(1500, 1500)
            yield item

    with Meter(torch.device("cpu")) as meter, ahead(slow(), depth=0) as items:
        assert list(items) == [0, 1, 2]
    assert waiting(meter) > 0.9
    with Meter(torch.device("cpu")) as meter, ahead(range(3), depth=0) as items:
        for _ in items:
            torch.rand(1500, 1500) @ torch.rand(1500, 1500)
    assert waiting(meter) < 0.1


def test_a_table_of_rates_is_read_as_it_was_written(tmp_path: Path) -> None:
    other = replace(RATE, rule="evaluate", method="", modality="audio")
    write_rates([RATE], tmp_path / "a.json")
    write_rates([other], tmp_path / "b.json")
    write_table([str(tmp_path / "a.json"), str(tmp_path / "b.json")], tmp_path / "all.csv")
    assert read_table(tmp_path / "all.csv") == [RATE, other]
    assert read_table(tmp_path / "none.csv") == []


def test_a_pretraining_costs_its_samples_and_its_clients(plan: Plan) -> None:
    kind = step_kind(plan.grid, CELL)
    rates = [
        replace(RATE, kind=kind),
        replace(RATE, kind=kind, modality="audio", samples=500, seconds_per_sample=0.04),
    ]
    found = rehearsed_seconds(plan, "pretrain", wildcards(CELL), rates)
    # 100 rounds of 10 of 100 clients, 5 epochs each.
    assert found is not None
    assert found[0] == pytest.approx(100 * 0.1 * 5 * (1000 * 0.01 + 500 * 0.04) + 1000 * 3.0 + 0.5)
    third = replace(CELL, split="a33-i33-b34")
    found = rehearsed_seconds(plan, "pretrain", wildcards(third), rates)
    assert found is not None
    assert found[0] == pytest.approx(50 * 0.67 * (1000 * 0.01 + 500 * 0.04) + 1000 * 3.0 + 0.5)
    other = replace(CELL, arch="vit")
    assert rehearsed_seconds(plan, "pretrain", wildcards(other), rates) is None


def test_a_scoring_costs_its_samples(plan: Plan) -> None:
    own = replace(RATE, rule="evaluate", study="fssuavl", kind="cifar10")
    tuned = replace(own, rule="fine_tune")
    found = rehearsed_seconds(plan, "evaluate", wildcards(CELL, task="cifar10"), [own, tuned])
    assert found is not None and found[0] == pytest.approx(0.5 + 1000 * 0.01 + 3.0)
    found = rehearsed_seconds(plan, "fine_tune", wildcards(CELL, task="cifar10"), [own, tuned])
    epochs = plan.config["evaluation"]["fine-tune"]["epochs"]
    assert found is not None and found[0] == pytest.approx(0.5 + epochs * 1000 * 0.01 + 3.0)
    fassl = Cell("fassl", "acop", "resnet18", "fedavg", "a100-i0-b0", "base", 0)
    scored = replace(own, rule="score_rounds", study="fassl", kind="nsynth")
    found = rehearsed_seconds(plan, "score_rounds", wildcards(fassl, task="nsynth"), [scored])
    # Rounds 0, 1, 10, ... 100 are kept, and the first and the last of them are scored already.
    assert found is not None and found[0] == pytest.approx(0.5 + 10 * 13.0)
    assert rehearsed_seconds(plan, "table", {"product": "t"}, [own]) is None


def test_pairs_cost_what_their_modalities_cost(plan: Plan) -> None:
    pair = plan.grid.pairs("fssuavl")[0]
    own = replace(RATE, rule="evaluate", study="fssuavl", kind="cifar10", fixed_seconds=0.0)
    heard = replace(own, kind="speech-commands", modality="audio", seconds_per_sample=0.1)
    job = wildcards(CELL, task=pair.pair)
    assert rehearsed_seconds(plan, "paired", job, [own]) is None, "no rate of sounds"
    found = rehearsed_seconds(plan, "paired", job, [own, heard])
    assert found is not None and found[0] > 0


def test_a_rehearsal_replaces_arithmetic_and_says_so(plan: Plan) -> None:
    own = replace(RATE, rule="evaluate", study="fssuavl", kind="cifar10", device="CPU", threads=2)
    job = PlannedJob("evaluate", wildcards(CELL, task="cifar10"), ("a.json",), "")
    (before,) = costs([job], Estimator(plan, [], []))
    (after,) = costs([job], Estimator(plan, [], [own]))
    assert (before.source, after.source) == ("arithmetic", "rehearsal")
    assert after.hours == pytest.approx(13.5 / 3600) and after.device == "2 cores"


def test_a_target_needs_the_jobs_before_its_own() -> None:
    jobs = [
        PlannedJob("bank", {}, ("bank",), ""),
        PlannedJob("pretrain", {"seed": "0"}, ("model0",), "", inputs=("bank",)),
        PlannedJob("pretrain", {"seed": "1"}, ("model1",), "", inputs=("bank",)),
        PlannedJob("table", {}, ("table", "record"), "", inputs=("model1",)),
    ]
    assert {job.outputs[0] for job in _needed(["table"], jobs)} == {"table", "model1", "bank"}
    assert _needed(["there already"], jobs) == []


def test_limits_that_are_too_small_are_named() -> None:
    limits = {"runtime": 60, "mem_mb": 500, "gpu_mem": None}
    small = shipped_plan(results="no-results", limits=limits)
    seconds = JobCost(7200, "A40", 0, 0.0, 0.0, frozenset())
    resumes = (PlannedJob("pretrain", {}, ("model",), ""), seconds)
    starts_anew = (PlannedJob("evaluate", {}, ("score",), ""), seconds)
    assert list(_too_small(small, [resumes], [RATE])) == ["limits.mem_mb: 500, needed 700"]
    assert list(_too_small(small, [starts_anew], [])) == [
        "limits.runtime: 60, needed 120 by evaluate"
    ]
    large = shipped_plan(results="no-results", limits={**limits, "mem_mb": 9000, "gpu_mem": 8000})
    assert list(_too_small(large, [resumes], [RATE])) == ["limits.gpu_mem: 8000, needed 9000"]


def test_the_budget_is_planned_with_the_configuration_of_the_run() -> None:
    given = {"mirror": None, "results_dir": "results/mine", "seeds": [0, 1], "portable": True}
    command = budget_command([Path("config/demo.yaml")], given)
    assert command["configfiles"] == ["config/demo.yaml"]
    assert command_line(command["settings"]) == given


def test_a_budget_says_what_it_is_estimated_from() -> None:
    def job(*sources: str) -> JobCost:
        return JobCost(1.0, "A40", 0, 0.0, 0.0, frozenset(sources))

    known = [job("arithmetic"), job("rehearsal"), job("rehearsal"), job("a.json", "b.json")]
    assert _sources(3, known) == "1 arithmetic, 1 finished, 2 rehearsal, 3 unknown"
    assert _sources(0, []) == ""
