"""The cost of a job by the rates of a rehearsal."""

from collections.abc import Mapping, Sequence
from statistics import median
from types import SimpleNamespace

from fedssl.grid.cell import Cell
from fedssl.grid.plan import Plan
from fedssl.rehearsal.plan import EVALUATE, FINE_TUNE, PRETRAIN, SCORE_ROUNDS, step_kind
from fedssl.rehearsal.rates import Rate
from fedssl.resources import costs

_RECALIBRATED = "evaluate_recalibrated"
_PRETRAINING = (PRETRAIN, "pretrain_centralised")


def rehearsed_seconds(
    plan: Plan, rule: str, wildcards: Mapping[str, str], rates: Sequence[Rate]
) -> tuple[float, Rate] | None:
    """Return the seconds of a job and one of the rates behind them; None for other jobs."""
    if rule in _PRETRAINING:
        return _pretraining(plan, Cell.of(SimpleNamespace(**wildcards)), rates)
    if (measured := _measured_rule(rule)) is None:
        return None
    models, passes = 1.0, 1.0
    if measured == SCORE_ROUNDS:
        models = costs.scored_rounds(plan, Cell.of(SimpleNamespace(**wildcards)))
    elif measured == FINE_TUNE:
        passes = plan.config["evaluation"]["fine-tune"]["epochs"]
    named = (measured, wildcards["study"], wildcards["arch"])
    alike = [rate for rate in rates if (rate.rule, rate.study, rate.arch) == named]
    if own := [rate for rate in alike if rate.kind == wildcards["task"]]:
        seconds = passes * own[0].samples * own[0].seconds_per_sample
        if rule != _RECALIBRATED:  # which scores by kNN only
            seconds += own[0].fixed_seconds
        return own[0].setup_seconds + models * seconds, own[0]
    return _pairs(plan, wildcards, alike, passes=passes)


def _pretraining(plan: Plan, cell: Cell, rates: Sequence[Rate]) -> tuple[float, Rate] | None:
    kind, settings = step_kind(plan.grid, cell), plan.grid.settings(cell)
    if not (own := [rate for rate in rates if rate.rule == PRETRAIN and rate.kind == kind]):
        return None
    epoch = sum(
        rate.samples * rate.seconds_per_sample * costs.share_held(cell, rate.modality)
        for rate in own
    )
    fixed = own[0].setup_seconds + costs.trained_clients(settings) * own[0].fixed_seconds
    return costs.epochs(settings) * epoch + fixed, own[0]


def _measured_rule(rule: str) -> str | None:
    """Return the rehearsed rule whose steps are those of a rule."""
    for measured in (FINE_TUNE, SCORE_ROUNDS):
        if rule.startswith(measured):
            return measured
    return EVALUATE if rule.startswith(("evaluate", "paired")) else None


def _pairs(
    plan: Plan, wildcards: Mapping[str, str], alike: Sequence[Rate], *, passes: float
) -> tuple[float, Rate] | None:
    """Return the cost of a paired task, whose datasets may be no tasks, by rates of modalities."""
    steps = 0.0
    for dataset in costs.scored_datasets(plan, wildcards["study"], wildcards["task"]):
        modality = plan.config["datasets"][dataset]["modality"]
        if not (own := [rate.seconds_per_sample for rate in alike if rate.modality == modality]):
            return None
        steps += passes * costs.num_samples(plan, dataset) * median(own)
    once = median(rate.setup_seconds + rate.fixed_seconds for rate in alike)
    return once + steps, alike[0]
