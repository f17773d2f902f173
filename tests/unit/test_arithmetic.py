"""Costs by arithmetic: of one cell by hand, and of the whole grid against another count."""

from dataclasses import asdict, replace

import pytest

from fedssl.command.costs import Estimator, costs
from fedssl.command.dry_run import PlannedJob
from fedssl.grid.cell import Cell
from fedssl.grid.plan import Plan
from fedssl.resources.arithmetic import GPU, arithmetic
from tests.unit.figures import shipped_plan

FSSUAVL = Cell("fssuavl", "simclr", "resnet18", "fedavg", "a0-i0-b100", "base", 0)
SAMPLES = 100_000 + 183_730  # Tiny ImageNet and VGGSound


@pytest.fixture(scope="module")
def plan() -> Plan:
    return shipped_plan(results="no-results", precision="fp32")


def wildcards(cell: Cell, **further: str) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(cell).items()} | further


def test_a_pretraining_costs_its_views(plan: Plan) -> None:
    found = arithmetic(plan, "pretrain", wildcards(FSSUAVL))
    assert found is not None and found.device == GPU
    views = SAMPLES * 100 * 0.1 * 5 * 2  # rounds, share of clients, epochs, views
    assert found.seconds == pytest.approx(views / 3280)
    clients = 100 * 10
    assert found.sent_bytes == pytest.approx(clients * 2 * 4 * 11.2e6)
    assert found.disk_bytes == pytest.approx((1 + 4) * 4 * 11.2e6), "the model and four rounds"


def test_a_small_stem_costs_at_32_px_what_the_large_one_does_at_128(plan: Plan) -> None:
    rival = replace(FSSUAVL, aggregator="l-dawa", split="a0-i100-b0", variant="cifar10")
    found = arithmetic(plan, "pretrain", wildcards(rival))
    assert found is not None
    assert found.seconds == pytest.approx(50_000 * 100 * 0.1 * 5 * 2 / 3280)


def test_the_whole_grid_costs_what_a_count_of_its_steps_says(plan: Plan) -> None:
    # Counted apart from this code, from expected samples and operations: 70 h for the ResNets and
    # 41 h for the ViTs of fssuavl, 131 h for fassl.
    hours = dict.fromkeys(("fssuavl resnet18", "fssuavl vit", "fassl resnet18"), 0.0)
    for cell in plan.grid.cells:
        rule = "pretrain" if cell.federated else "pretrain_centralised"
        found = arithmetic(plan, rule, wildcards(cell))
        assert found is not None
        hours[f"{cell.study} {cell.arch}"] += found.seconds / 3600
    assert list(hours.values()) == pytest.approx([70, 41, 131], rel=0.05)


@pytest.mark.parametrize(("precision", "speed"), [("tf32", 1.7), ("bf16", 3.0)])
def test_another_precision_trains_faster(plan: Plan, precision: str, speed: float) -> None:
    other = shipped_plan(results="no-results", precision=precision)
    for rule, own in (("pretrain", {}), ("fine_tune", {"task": "cifar10"})):
        slow, fast = (arithmetic(p, rule, wildcards(FSSUAVL, **own)) for p in (plan, other))
        assert slow is not None and fast is not None
        assert slow.seconds == pytest.approx(speed * fast.seconds)


def test_pairs_cost_both_datasets_and_fine_tuning_a_gpu(plan: Plan) -> None:
    def seconds(rule: str, task: str) -> float:
        found = arithmetic(plan, rule, wildcards(FSSUAVL, task=task))
        assert found is not None and (found.device == GPU) == rule.startswith("fine_tune")
        return found.seconds

    assert seconds("paired", "mnist-fsdd") == pytest.approx((70_000 + 3000) / (49 * 4))
    assert seconds("fine_tune", "cifar10") == pytest.approx(50_000 * 60 / 3280)
    assert seconds("fine_tune_pairs", "mnist-fsdd") > seconds("fine_tune", "tiny-imagenet") / 10


def test_the_first_and_the_last_round_are_not_scored_twice(plan: Plan) -> None:
    cell = replace(FSSUAVL, study="fassl", split="a100-i0-b0")
    found = arithmetic(plan, "score_rounds", wildcards(cell, task="nsynth"))
    notes = 289_205 + 12_678 + 4_096
    assert found is not None and found.device == GPU
    # Of twelve kept rounds; a forward pass is a third of a training step.
    assert found.seconds == pytest.approx(10 * notes / (3 * 3280))


def test_a_centralised_cell_sends_nothing(plan: Plan) -> None:
    cell = replace(FSSUAVL, study="fassl", aggregator="centralised", split="a100-i0-b0")
    found = arithmetic(plan, "pretrain_centralised", wildcards(cell))
    assert found is not None and found.sent_bytes == 0


def test_small_jobs_are_not_estimated(plan: Plan) -> None:
    (cost,) = costs([PlannedJob("table", {}, ("t.csv",), "")], Estimator(plan, [], []))
    assert (cost.hours, cost.measured) == (None, 0)
