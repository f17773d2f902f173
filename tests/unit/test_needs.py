"""What jobs ask for: follows their settings and what was measured, and never passes a limit."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedssl.federation.plan import pretrain_state
from fedssl.files import digest, write_json
from fedssl.grid.cell import Cell
from fedssl.grid.plan import Plan
from fedssl.record.attempts import only_attempt
from fedssl.resources import needs
from fedssl.resources.machine import Machine, find_machine
from tests.unit.figures import shipped_plan

PAIRED = Cell("fssuavl", "simclr", "resnet18", "fedavg", "a0-i0-b100", "base", 0)


def wildcards(cell: Cell = PAIRED, **further: str) -> Any:
    axes = {name: str(getattr(cell, name)) for name in cell.__dataclass_fields__}
    return SimpleNamespace(**axes, **further)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return shipped_plan(results=str(tmp_path_factory.mktemp("results")))


def limited(plan: Plan, **limits: int) -> Plan:
    """Return the plan with other limits."""
    config = {**plan.config, "limits": {**plan.config["limits"], **limits}}
    grid = object.__new__(type(plan.grid))
    vars(grid).update(vars(plan.grid), config=config)
    return replace(plan, grid=grid)


def memory(plan: Plan, *, threads: int = 8) -> int:
    return needs.pretrain_mem_mb(plan, wildcards(), threads=threads, gpus=0, state=pretrain_state)


def test_a_pretraining_of_the_paper_asks_for_hours_and_not_for_days(plan: Plan) -> None:
    # 28 million views of a ResNet-18 take 1.4 hours on an A100 in TF32.
    assert 3 * 60 < needs.pretrain_runtime(plan, wildcards()) < 6 * 60
    one_modality = wildcards(replace(PAIRED, split="a0-i100-b0"))
    assert needs.pretrain_runtime(plan, one_modality) < needs.pretrain_runtime(plan, wildcards())


def test_the_time_of_another_seed_takes_the_place_of_arithmetic(tmp_path: Path) -> None:
    plan = shipped_plan(results=str(tmp_path))
    path = Path(plan.paths.provenance(replace(PAIRED, seed=1)))
    path.parent.mkdir(parents=True)
    hashes: dict[str, Any] = {"inputs": {}, "outputs": {}, "sources": {}}
    content = {"rule": "pretrain", "settings": {}, "seconds": 36_000.0, **hashes}
    write_json(path, content | {"digest": digest(content)})
    assert needs.pretrain_runtime(plan, wildcards()) == 15 * 60
    path.write_text(json.dumps(content))  # without its digest, it may say anything
    assert needs.pretrain_runtime(plan, wildcards()) < 9 * 60


def test_memory_grows_with_the_clients_in_parallel_and_with_killed_attempts(plan: Plan) -> None:
    before = memory(plan)
    assert needs.pretrain_clients(plan, wildcards(), threads=32, gpus=0) == 4
    assert memory(plan, threads=32) > before
    state = pretrain_state(plan, wildcards())
    with only_attempt(f"{state}.json", state=state):
        assert memory(plan) == min(2 * before, plan.config["limits"]["mem_mb"])
    assert memory(plan) == before


def test_memory_of_a_rule_that_holds_a_cohort_grows_with_the_clients_of_a_round() -> None:
    rules = ["fedavg", "median", "trimmed-mean-bb"]
    entry = {"method": ["simclr"], "arch": ["resnet18"], "split": ["a0-i0-b100"]}
    cells = [{**entry, "aggregator": rules, "variant": ["base"]}]
    asked = []
    for fraction in (0.1, 1.0):
        changes = {"settings": {"federation": {"fraction": fraction}}, "limits": {"mem_mb": 10**9}}
        plan = shipped_plan(studies={"fssuavl": {"cells": cells}}, tables={}, **changes)
        for rule in rules:
            job = wildcards(replace(PAIRED, aggregator=rule))
            need = {"threads": 8, "gpus": 0, "state": pretrain_state}
            asked.append(needs.pretrain_mem_mb(plan, job, **need))
    assert asked[0] < asked[1] == asked[2] and asked[3] == asked[0], "FedAvg holds one at a time"
    assert asked[4] - asked[3] == pytest.approx(100 * 60, abs=1000), "60 MB a client"


def test_memory_grows_with_the_models_that_clients_keep(plan: Plan) -> None:
    """FedEMA's clients keep their target and their own model, FedU's the target alone."""
    rival = replace(PAIRED, method="byol", split="a0-i100-b0", variant="cifar10")
    asked = [
        needs.pretrain_mem_mb(
            *(plan, wildcards(replace(rival, aggregator=rule))),
            **{"threads": 8, "gpus": 0, "state": pretrain_state},
        )
        for rule in ("fedema", "fedu")
    ]
    assert asked[0] - asked[1] == pytest.approx(100 * 60, abs=1000), "60 MB a model"


def clients(plan: Plan, threads: int, cell: Cell = PAIRED, *, gpus: int) -> int:
    return needs.pretrain_clients(plan, wildcards(cell), threads=threads, gpus=gpus)


def test_on_a_cpu_as_many_clients_train_in_parallel_as_fit_threads_and_round(plan: Plan) -> None:
    assert [clients(plan, n, gpus=0) for n in (4, 8, 23, 1000)] == [1, 1, 2, 10]
    assert needs.pretrain_threads(plan, wildcards(), gpus=0, most=100) == 8
    assert clients(limited(plan, gpu_mem=1), 1000, gpus=0) == 10


def test_on_gpus_a_client_takes_few_cores_and_as_many_train_as_fit_the_gpus(plan: Plan) -> None:
    for gpus in (1, 2, 4, 8):
        threads = needs.pretrain_threads(plan, wildcards(), gpus=gpus, most=100)
        assert threads == 2 * gpus and clients(plan, threads, gpus=gpus) == gpus
    assert needs.pretrain_threads(plan, wildcards(), gpus=4, most=1) == 4
    assert clients(plan, 4, gpus=4) == 4  # of a machine with few cores
    assert (clients(plan, 12, gpus=4), clients(plan, 100, gpus=4)) == (6, 10)
    small, vit = limited(plan, gpu_mem=16_000), replace(PAIRED, arch="vit")
    # A GPU holds three clients with a ResNet-18 and one with a ViT.
    assert [clients(small, 1000, gpus=gpus) for gpus in (1, 2, 4)] == [3, 6, 10]
    assert [clients(small, 1000, vit, gpus=gpus) for gpus in (1, 2, 4)] == [1, 2, 4]
    assert clients(limited(plan, gpu_mem=1), 8, gpus=2) == 2
    centralised = replace(PAIRED, aggregator="centralised", study="fassl", split="a100-i0-b0")
    assert clients(plan, 1000, centralised, gpus=1) == 1


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_no_attempt_of_any_job_passes_a_limit(plan: Plan, attempt: int) -> None:
    small = limited(plan, runtime=40, mem_mb=5000)
    jobs = [
        wildcards(task=task, dataset=dataset, checkpoint="final")
        for task, dataset in product(("vggsound", "cifar10"), ("vggsound", "tiny-imagenet"))
    ]
    given = {"attempt": attempt}
    for job in [*jobs, wildcards(task="advance", dataset="mnist")]:
        times = [
            needs.runtime(small, job, **given),
            needs.pretrain_runtime(small, job),
            needs.bank_runtime(small, job),
            needs.score_runtime(small, job, maps=5, **given),
            needs.map_runtime(small, job, maps=5, **given),
            needs.rounds_runtime(small, job, gpu=True),
            needs.fine_tune_runtime(small, job),
        ]
        assert all(1 <= time <= 40 for time in times)
        assert needs.score_mem_mb(small, job, **given) <= 5000
    assert memory(small) == needs.mem_mb(small, jobs[0], need=4900, **given) == 5000


def test_a_group_with_all_scores_of_a_checkpoint_stays_within_the_limit(plan: Plan) -> None:
    for study, maps in (("fssuavl", 5), ("fassl", 0)):
        cell = replace(PAIRED, study=study)
        names = [t.task for t in plan.grid.tasks(study)] + [p.pair for p in plan.grid.pairs(study)]
        jobs = [wildcards(cell, task=name) for name in names]
        times = [needs.score_runtime(plan, job, attempt=3, maps=maps) for job in jobs]
        times += [needs.map_runtime(plan, wildcards(cell), attempt=3, maps=maps)] * maps
        assert sum(times) <= plan.config["limits"]["runtime"]


class Workflow:
    """What Snakemake knows while it reads the Snakefile."""

    def __init__(
        self, *, nodes: int | None, cores: int | None, main: bool = True, gpus: int | None = None
    ) -> None:
        self.is_main_process = main
        self.modifier = SimpleNamespace(
            is_main_snakefile=lambda: True, modify_rulename=lambda name: name
        )
        given = {} if gpus is None else {"pretrain": {"gpu": SimpleNamespace(raw=gpus)}}
        self.resource_settings = SimpleNamespace(overwrite_resources=given)
        values = {"_nodes": nodes, "_cores": cores}
        self.global_resources = {k: SimpleNamespace(value=v) for k, v in values.items()}

    def register_resource(self, name: str, amount: int) -> None:
        self.global_resources[name] = SimpleNamespace(value=amount)

    def offered(self) -> dict[str, int]:
        return {k: v.value for k, v in self.global_resources.items() if not k.startswith("_")}


def test_a_machine_offers_its_gpus_and_a_cluster_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    box = Workflow(nodes=None, cores=16)
    # Four trainings of 8 threads would not fit 16 cores, and two GPUs would be idle.
    assert find_machine(box) == Machine(training_gpus=1, scoring_gpus=1, most_threads=4)
    assert box.offered() == {"gpu": 4}
    chosen = Workflow(nodes=None, cores=2)
    chosen.register_resource("gpu", 2)
    assert find_machine(chosen).most_threads == 1 and chosen.offered() == {"gpu": 2}
    for cluster in (Workflow(nodes=100, cores=None), Workflow(nodes=None, cores=8, main=False)):
        assert find_machine(cluster) == Machine() and cluster.offered() == {"turn": 1}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    laptop = Workflow(nodes=None, cores=2)
    assert find_machine(laptop) == Machine(training_gpus=0) and laptop.offered() == {}


def test_a_job_gets_the_gpus_of_the_command_line_or_all_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    for nodes, asked, given in ((100, 8, 8), (100, 0, 0), (None, 2, 2), (None, 8, 4), (None, 0, 0)):
        machine = find_machine(Workflow(nodes=nodes, cores=16, gpus=asked))
        assert machine.gpus("pretrain") == given and machine.gpus("pretrain_centralised") == 1
    few = Workflow(nodes=None, cores=16, gpus=4)
    few.register_resource("gpu", 2)  # --resources gpu=2 leaves two to others
    assert find_machine(few).gpus("pretrain") == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_machine(Workflow(nodes=None, cores=2, gpus=4)).gpus("pretrain") == 0
