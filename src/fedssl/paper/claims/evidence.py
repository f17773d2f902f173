"""Word the comparison that decided a claim."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from fedssl.paper.verdicts.claim_test import FAILS, HOLDS, ClaimVerdict
from fedssl.paper.verdicts.contrast import Contrast, Estimate, Key, Measurements
from fedssl.paper.verdicts.hypotheses import Hypothesis, Most, Near, leaves_of, margins_of
from fedssl.paper.verdicts.margins import Measured
from fedssl.paper.verdicts.sides import Pair

_VERBS = {HOLDS: "is", FAILS: "is not"}
_RELATIONS = {">": "above", "<": "below", ">=": "at least", "<=": "at most"}


def sentence(
    rule: Mapping[str, Any], pair: Pair, numbers: Mapping[Key, float], *, verdict: str
) -> str:
    """Return a comparison with its numbers and their places in the tables.

    `rule` has relation, by and, with the relations = and ~, within.
    """
    left, right = (_side(side, numbers) for side in pair)
    if right and rule["by"]:
        right += f" {'plus' if rule['by'] > 0 else 'minus'} {abs(rule['by']):g}"
    right = right or f"{rule['by']:g}"
    if verdict not in _VERBS:
        return f"{left} against {right}"
    relation = _RELATIONS.get(rule["relation"]) or f"within {rule['within']:g} of"
    return f"{left} {_VERBS[verdict]} {relation} {right}"


def tested_sentence(hypothesis: Hypothesis, found: ClaimVerdict, source: Measured) -> str:
    """Return what decided a claim on measured numbers, or why it could not be tested."""
    if found.evidence is None:
        return _why_untested(hypothesis, source.measurements)
    margin = found.evidence.margin
    if margin is None:
        votes = [source.votes(part) for part in leaves_of(hypothesis) if isinstance(part, Most)]
        return "; ".join(f"true for {satisfied} of {seeds} seeds" for satisfied, seeds in votes)
    return _margin_sentence(hypothesis, margin, source.measurements, verdict=found.verdict)


def cell_name(key: Key) -> str:
    """Return the name of a cell: its table, row and column."""
    table, row, column = key
    place = f"table {table}" if table.isdecimal() else table or "prose"
    return f"{place}: {row}, {column}"


def _margin_sentence(
    hypothesis: Hypothesis, margin: Estimate, measurements: Measurements, *, verdict: str
) -> str:
    """Return a margin as a comparison: the cells that add to it with those that are subtracted."""
    contrast = margin.contrast or Contrast({})
    near = [leaf for leaf in leaves_of(hypothesis) if isinstance(leaf, Near)]
    within = [leaf.within for leaf in near if any(one is contrast for one in leaf.margins)]
    added = Contrast({key: w for key, w in contrast.weights.items() if w > 0})
    taken = Contrast({key: -w for key, w in contrast.weights.items() if w < 0})
    pair, relation, by = (added, taken), ">", -contrast.constant
    if not added.weights:
        pair, relation, by = (taken, added), "<", contrast.constant
    rule = {"relation": "~" if within else relation, "by": by, "within": max(within, default=0.0)}
    seeds = measurements.shared_seeds(contrast)
    means = {
        key: fmean(measurements.by_seed(Contrast({key: 1.0}), seeds)) for key in contrast.weights
    }
    return sentence(rule, pair, means, verdict=verdict)


def _why_untested(hypothesis: Hypothesis, measurements: Measurements) -> str:
    if all(measurements.shared_seeds(margin) for margin in margins_of(hypothesis)):
        return "the spread of seeds is unknown: no cell of a task and protocol has two seeds"
    return "no seed was measured in all cells of the claim"


def _side(number: Contrast, numbers: Mapping[Key, float]) -> str:
    return f"{_shown(number.value(numbers))} ({_text(number)})" if number.weights else ""


def _shown(number: float) -> str:
    # Two decimals are too few for silhouettes, which lie between -1 and 1.
    return f"{number:.2f}" if abs(number) > 1 else f"{number:.4f}"


def _text(number: Contrast) -> str:
    names = [cell_name(key) for key in number.weights]
    if len(names) == 1:
        return names[0]
    if len(names) == 2 and min(number.weights.values()) < 0:
        return " minus ".join(names)
    return f"from {len(names)} numbers, the first is {names[0]}"
