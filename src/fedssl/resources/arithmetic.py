"""Estimate what a planned job costs before any such job has run."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from fedssl.grid.cell import Cell
from fedssl.grid.plan import Plan
from fedssl.resources import costs

GPU = "A100"
CPU = "CPU"
_PRETRAINING = ("pretrain", "pretrain_centralised")
_BANKS = ("bank_images", "bank_waveforms")


@dataclass(frozen=True)
class Arithmetic:
    """The cost of a job by arithmetic.

    Attributes:
        seconds: duration in seconds on `device`, without waiting for data.
        device: "A100" or "CPU".
        cores: number of CPU cores that compute; 0 on a GPU.
        disk_bytes: size of the outputs.
        sent_bytes: bytes that clients and server would send.
    """

    seconds: float
    device: str
    cores: int = 0
    disk_bytes: float = 0.0
    sent_bytes: float = 0.0


def arithmetic(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Arithmetic | None:
    """Return the cost of a job that trains, scores or decodes; None for the small jobs."""
    if rule in _PRETRAINING:
        return _pretraining(plan, Cell.of(SimpleNamespace(**wildcards)))
    if rule in _BANKS:
        name = wildcards["dataset"]
        size = costs.bank_mb(plan, name) * 1e6
        seconds, threads = costs.decoding_seconds(plan, name), plan.config["banks"]["threads"]
        return Arithmetic(seconds, CPU, threads, disk_bytes=size)
    if rule.startswith(("evaluate", "paired", "fine_tune", "score_rounds")):
        return _scoring(plan, rule, wildcards)
    return None


def _pretraining(plan: Plan, cell: Cell) -> Arithmetic:
    settings, model = plan.grid.settings(cell), costs.model_bytes(cell.arch)
    # Each client receives the model and sends it back.
    sent = 2.0 * costs.trained_clients(settings) * model
    kept = 1 + len(settings["federation"].get("kept_rounds", ()))
    seconds = costs.pretraining_seconds(plan, cell)
    return Arithmetic(seconds, GPU, disk_bytes=kept * model, sent_bytes=sent)


def _scoring(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Arithmetic:
    study, arch = wildcards["study"], wildcards["arch"]
    datasets = costs.scored_datasets(plan, study, wildcards["task"])
    if rule.startswith("fine_tune"):
        seconds = (costs.fine_tuning_seconds(plan, study, arch, dataset=d) for d in datasets)
        return Arithmetic(sum(seconds), GPU)
    gpu = rule == "score_rounds"
    once = sum(costs.embedding_seconds(plan, study, arch, dataset=d, gpu=gpu) for d in datasets)
    if not gpu:
        return Arithmetic(once, CPU, plan.config["evaluation"]["threads"])
    return Arithmetic(costs.scored_rounds(plan, Cell.of(SimpleNamespace(**wildcards))) * once, GPU)
