"""Give each measured number of a table its verdict, and each column its rank agreement.

The standard deviation of a seed is pooled over the rows of the table. So a table depends on its own
score files only, and the audit can recompute it from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fedssl.paper.flags import Flag
from fedssl.paper.seeds import Seeds
from fedssl.paper.verdict import Verdict
from fedssl.paper.verdicts.cell_verdict import RandomInit, judge_cell
from fedssl.paper.verdicts.rank_agreement import Ranked, rank_agreement
from fedssl.paper.verdicts.seed_spread import Group, SeedNoise, Series, Spread, fit_noise

COLUMNS = (
    *("predicted_low", "predicted_high", "seed_sd", "seed_degrees", "seeds_needed", "reason"),
    *("tau", "tau_low", "tau_high"),
)


@dataclass(frozen=True)
class Number:
    """A number of a table before it is judged.

    Attributes:
        record: its row of the CSV. A number that was not measured has a verdict.
        seeds: the values of its seeds; None if it was not measured.
        held_to: the published value to compare it with, or None.
        arch: encoder of the row. Rows with one encoder have the same random init.
        not_comparable: why the published value is of other data, or "".
    """

    record: dict[str, Any]
    seeds: Seeds | None = None
    held_to: float | None = None
    arch: str = ""
    not_comparable: str = ""

    @property
    def group(self) -> Group:
        """The numbers that share a standard deviation: same tasks, same protocol."""
        return Group(self.record["task"], self.record["protocol"])

    @property
    def trained(self) -> Series:
        """The values of its seeds."""
        return Series(self.record["row"], self.group, self.seeds.values if self.seeds else {})

    @property
    def untrained(self) -> Series:
        """The values of the same seeds before training."""
        return Series(self.arch, self.group, self.seeds.random_init if self.seeds else {})


def judged(numbers: Sequence[Number], *, scale: str, resolution: float) -> list[dict[str, Any]]:
    """Return the rows of the CSV with verdicts and rank agreement.

    Args:
        numbers: All numbers of a table.
        scale: `paper` or `scaled`. Numbers of a scaled run are not compared.
        resolution: Largest width of a prediction interval that is conclusive, in points.
    """
    if scale != "paper":
        return [_with(number, {"verdict": Verdict.SCALED}) for number in numbers]
    measured = [number for number in numbers if number.seeds]
    # Random encoders have no training whose seeds could scatter.
    noise = fit_noise([n.trained for n in measured if n.seeds and n.seeds.is_trained])
    # Some protocols, such as fine-tuning, do not score the encoder before training.
    started = [number for number in measured if number.untrained.values]
    untrained = fit_noise([number.untrained for number in started]).total
    gains = fit_noise([number.trained.minus(number.untrained) for number in started]).total
    ranks = _rank_columns(measured, noise)
    return [
        _with(number, _verdict(number, noise, untrained, gains, resolution))
        | ranks.get(number.record["column"], {})
        for number in numbers
    ]


def _with(number: Number, verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {**verdict, **number.record}


def _verdict(
    number: Number,
    noise: SeedNoise,
    untrained: Mapping[Group, Spread],
    gains: Mapping[Group, Spread],
    resolution: float,
) -> dict[str, Any]:
    if number.seeds is None:
        return {}
    spread = noise.total.get(number.group)
    known = {"seed_sd": spread.sd, "seed_degrees": spread.degrees} if spread else {}
    if number.held_to is None:
        return {"verdict": Verdict.UNPUBLISHED, **known}
    delta = {"delta": number.record["measured"] - number.held_to}
    if number.not_comparable:
        reason = {"reason": number.not_comparable}
        return {"verdict": Verdict.NOT_COMPARABLE, **known, **delta, **reason}
    before = number.untrained.values
    found = judge_cell(
        number.trained.values,
        number.held_to,
        spread=spread,
        random_init=RandomInit(before, untrained.get(number.group), gains.get(number.group))
        if before
        else None,
        resolution=resolution,
    )
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    return {
        "verdict": found.verdict,
        **known,
        **delta,
        "predicted_low": low,
        "predicted_high": high,
        "seeds_needed": found.seeds_needed,
        "reason": found.reason,
    }


def _rank_columns(numbers: Sequence[Number], noise: SeedNoise) -> dict[str, dict[str, Any]]:
    """Return column -> tau and its interval, over the rows that have both numbers."""
    columns: dict[str, list[Number]] = {}
    for number in numbers:
        if number.held_to is not None:
            columns.setdefault(number.record["column"], []).append(number)
    found = {}
    for column, rows in columns.items():
        group = rows[0].group
        agreement = rank_agreement(
            [Ranked(n.record["measured"], n.record["n_seeds"], n.held_to or 0.0) for n in rows],
            spread=noise.total.get(group),
            paired=noise.paired.get(group),
        )
        if agreement is not None:
            low, high = agreement.interval or (None, None)
            found[column] = {"tau": agreement.tau, "tau_low": low, "tau_high": high}
    return found


def comparability(flags: str, tasks: Sequence[str], declared: Mapping[str, str]) -> str:
    """Return why a number is of other data than the published one, or "".

    Args:
        flags: The flags of the number, as the CSV has them.
        tasks: The tasks that it averages.
        declared: Task -> why its data are not the paper's.
    """
    reasons = [f"{task}: {declared[task]}" for task in tasks if task in declared]
    if Flag.ABSENT in flags.split():
        reasons.append("some clips of the dataset are no longer available")
    return "; ".join(reasons)
