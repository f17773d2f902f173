"""Functions for `resources:` of rules, called with a plan and the wildcards of a job.

The time to ask for is three times the cost by arithmetic, because many GPUs are slower than an A100
and data may arrive late. If the job has finished for another seed, it is 1.5 times what that took.
Jobs that resume ask for the same time in each attempt.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from fedssl.gpus import GPU_CORES
from fedssl.grid.cell import Cell
from fedssl.grid.facts import fact
from fedssl.grid.parts import declared_by
from fedssl.grid.plan import Plan, Wildcards
from fedssl.record.attempts import num_kills
from fedssl.record.read import read_record
from fedssl.resources import costs
from fedssl.resources.limits import megabytes, minutes

_BY_ARITHMETIC = 3.0
_MEASURED = 1.5
# MB of a process that has imported torch and opened a CUDA context.
_PROCESS = 3000
# MB of the process that writes a bank, which imports no torch.
_WRITER = 1000
# MB of a process that decodes: its libraries, and two batches of members.
_DECODER = 200
# MB of one model, which many aggregators keep for each client between its rounds.
_CLIENT_STATE = 60
# MB of a bank that the page cache should hold; what does not fit is read again.
_CACHED = 16_000
_FEATURE_BYTES = 512 * 4
_COPIES = 4  # of the features: normalised, standardised, on the device, joined

State = Callable[[Plan, Wildcards], str]


def runtime(plan: Plan, _: Wildcards, *, attempt: int, least: int = 30) -> int:
    """Return the time limit of a job of `least` minutes."""
    return minutes(0, _limit(plan), attempt=attempt, least=least)


def mem_mb(plan: Plan, _: Wildcards, *, attempt: int, need: int = 4000) -> int:
    """Return the memory of a job that needs `need` MB."""
    return megabytes(need, plan.config["limits"]["mem_mb"], attempt=attempt)


def pretrain_threads(plan: Plan, wildcards: Wildcards, *, gpus: int, most: int) -> int:
    """Return the threads of a pretraining: those of one client, or of one on each GPU.

    It is at most `most`, for each GPU.
    """
    if gpus:
        return gpus * min(GPU_CORES, most)
    threads: int = plan.grid.settings(Cell.of(wildcards))["threads"]
    return min(threads, most)


def pretrain_clients(plan: Plan, wildcards: Wildcards, *, threads: int, gpus: int) -> int:
    """Return the number of clients to train in parallel: as many as fit threads and GPU memory.

    It is at least one for each GPU, up to the clients of a round.
    """
    cell = Cell.of(wildcards)
    settings = plan.grid.settings(cell)
    if not cell.federated:
        return 1
    clients: int = threads // (GPU_CORES if gpus else settings["threads"])
    if gpus and (gpu_mem := plan.config["limits"]["gpu_mem"]):
        clients = min(clients, gpus * int(gpu_mem // costs.client_gpu_mb(plan, cell)))
    return max(1, min(max(clients, gpus), costs.clients_per_round(settings)))


def pretrain_runtime(plan: Plan, wildcards: Wildcards) -> int:
    """Return the time limit of a pretraining, which resumes when it is repeated."""
    cell = Cell.of(wildcards)
    seconds = costs.pretraining_seconds(plan, cell)
    return minutes(_expected(plan, cell, plan.paths.provenance, seconds), _limit(plan), least=60)


def pretrain_mem_mb(
    plan: Plan, wildcards: Wildcards, *, threads: int, gpus: int, state: State
) -> int:
    """Return the memory of a pretraining; more only if an attempt was killed without notice."""
    cell = Cell.of(wildcards)
    clients = pretrain_clients(plan, wildcards, threads=threads, gpus=gpus)
    processes = clients + 1 if clients > 1 else 1
    # With clients in parallel, states of a round wait for their turn as well.
    settings = plan.grid.settings(cell)
    parts = (declared_by(axis, getattr(cell, axis)) for axis in ("method", "aggregator"))
    kept = max(1, sum(fact(declared, "kept_models") for declared in parts))
    states = settings["federation"].get("clients", 1) * (kept + (clients > 1))
    if fact(declared_by("aggregator", cell.aggregator), "holds_cohort"):
        states += costs.clients_per_round(settings)
    banks = _read(plan, plan.grid.datasets(cell).values(), processes=processes)
    need = processes * _PROCESS + states * _CLIENT_STATE + banks
    return _resumable(plan, wildcards, need, state=state)


def bank_runtime(plan: Plan, wildcards: Wildcards) -> int:
    """Return the time limit of building a bank, which resumes when it is repeated."""
    seconds = costs.decoding_seconds(plan, wildcards.dataset)
    return minutes(_BY_ARITHMETIC * seconds, _limit(plan), least=60)


def bank_mem_mb(plan: Plan, wildcards: Wildcards, *, state: State) -> int:
    """Return the memory of building a bank; more only if an attempt was killed without notice."""
    decoder = _DECODER + costs.decoding_mb(plan, wildcards.dataset)
    decoding = plan.config["banks"]["threads"] * decoder
    need = _WRITER + decoding + _cached(plan, [wildcards.dataset])
    return _resumable(plan, wildcards, need, state=state)


def fine_tune_runtime(plan: Plan, wildcards: Wildcards) -> int:
    """Return the time limit of fine-tuning on a task or on pairs; it resumes when repeated."""
    study, arch = wildcards.study, wildcards.arch
    seconds = sum(
        costs.fine_tuning_seconds(plan, study, arch, dataset=dataset)
        for dataset in _scored(plan, wildcards)
    )
    return minutes(_BY_ARITHMETIC * seconds, _share(plan, wildcards))


def score_runtime(plan: Plan, wildcards: Wildcards, *, attempt: int, maps: int) -> int:
    """Return the time limit of scoring a checkpoint on a task or on pairs.

    `maps` is the largest number of maps of a checkpoint, which are in its group.
    """
    need = _BY_ARITHMETIC * _embedding(plan, wildcards, gpu=False)
    return minutes(need, _share(plan, wildcards, further=maps), attempt=attempt)


def map_runtime(plan: Plan, wildcards: Wildcards, *, attempt: int, maps: int) -> int:
    """Return the time limit of a map, which has few samples."""
    return minutes(0, _share(plan, wildcards, further=maps), attempt=attempt)


def score_mem_mb(plan: Plan, wildcards: Wildcards, *, attempt: int) -> int:
    """Return the memory of scoring a checkpoint: the features, and some of the banks."""
    datasets = _scored(plan, wildcards)
    samples = sum(costs.num_samples(plan, dataset) for dataset in datasets)
    features = _COPIES * samples * _FEATURE_BYTES / 1e6
    need = _PROCESS + features + _read(plan, datasets, share=0.25)
    return megabytes(need, plan.config["limits"]["mem_mb"], attempt=attempt)


def rounds_runtime(plan: Plan, wildcards: Wildcards, *, gpu: bool) -> int:
    """Return the time limit of scoring kept rounds, which resumes when it is repeated."""
    rounds = costs.scored_rounds(plan, Cell.of(wildcards))
    seconds = rounds * _embedding(plan, wildcards, gpu=gpu)
    return minutes(_BY_ARITHMETIC * seconds, _share(plan, wildcards))


def _limit(plan: Plan) -> int:
    limit: int = plan.config["limits"]["runtime"]
    return limit


def _share(plan: Plan, wildcards: Wildcards, *, further: int = 0) -> int:
    """Return the longest time of a job that is grouped with others of its checkpoint.

    The group asks for the sum of their times. `further` counts the members without a task.
    """
    study = wildcards.study
    members = len(plan.grid.tasks(study)) + len(plan.grid.pairs(study)) + further
    return max(1, _limit(plan) // members)


def _expected(plan: Plan, cell: Cell, record: Callable[[Cell], str], by_arithmetic: float) -> float:
    """Return the seconds to ask for, measured with another seed or by arithmetic."""
    others = (replace(cell, seed=seed) for seed in plan.config["seeds"] if seed != cell.seed)
    measured = max((_seconds(Path(record(other))) for other in others), default=0.0)
    return _MEASURED * measured if measured else _BY_ARITHMETIC * by_arithmetic


def _seconds(record: Path) -> float:
    """Return the seconds of a finished job; 0 without an intact record."""
    if not record.is_file():
        return 0.0
    found = read_record(record, record.parent)
    return float(found.content["seconds"]) if found.intact else 0.0


def _embedding(plan: Plan, wildcards: Wildcards, *, gpu: bool) -> float:
    arch = wildcards.arch
    return sum(
        costs.embedding_seconds(plan, wildcards.study, arch, dataset=d, gpu=gpu)
        for d in _scored(plan, wildcards)
    )


def _scored(plan: Plan, wildcards: Wildcards) -> list[str]:
    return costs.scored_datasets(plan, wildcards.study, wildcards.task)


def _read(plan: Plan, datasets: Iterable[str], *, processes: int = 1, share: float = 1.0) -> float:
    """Return the MB of banks that a job holds in each process, or a share of what it caches."""
    if plan.config["banks"]["read_from"] == "memory":
        return processes * sum(costs.bank_mb(plan, dataset) for dataset in datasets)
    return share * _cached(plan, datasets)


def _cached(plan: Plan, datasets: Iterable[str]) -> float:
    return min(_CACHED, sum(costs.bank_mb(plan, dataset) for dataset in datasets))


def _resumable(plan: Plan, wildcards: Wildcards, need: float, *, state: State) -> int:
    attempts = 1 + num_kills(state(plan, wildcards))
    return megabytes(need, plan.config["limits"]["mem_mb"], attempt=attempts)
