"""Updates that are not finite: why each was dropped, and when training must stop.

A dropped update leaves the average unchanged, so a training that loses them all would end with
the random start as its model. Such a training must fail, not look like a weak result.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fedssl.aggregators.accumulator import first_not_finite
from fedssl.aggregators.base import is_trained
from fedssl.errors import UserError
from fedssl.federation.history import Row, num_updates
from fedssl.federation.settings import Optimiser

MAX_DROPPED_SHARE = 0.1
"""Share of a training's updates above which it stops: a tenth."""

_NAMED = 5  # clients or settings named in a message


def first_fault(steps: Sequence[tuple[str, Tensor]]) -> str | None:
    """Return which step's loss is the first that is not finite, or None.

    `steps` are the modality and the loss (scalar) of each step, in order.
    """
    if not steps:
        return None
    finite = torch.stack([loss for _, loss in steps]).isfinite().tolist()
    if all(finite):
        return None
    place = finite.index(False)
    modality, loss = steps[place]
    return f"the loss of step {place + 1} of {len(steps)} ({modality}) is {float(loss)}"


def check_round(
    rows: Sequence[Row], round_number: int, model: Mapping[str, Tensor], *, rounds: int
) -> None:
    """Raise Diverged if the round ended without a usable update or with a broken model.

    Args:
        rows: the history up to and with this round.
        round_number: the round, counted from 1.
        model: the global model after it.
        rounds: number of rounds of the whole training. At most a share of `MAX_DROPPED_SHARE` of
            its updates may be dropped.
    """
    # A simulated attack is no sign of divergence, however many of its updates are dropped.
    rows = [row for row in rows if not row.get("attack")]
    in_round = [row for row in rows if row["round"] == round_number]
    sent = num_updates(in_round)
    lost = num_updates(rows, dropped=True)
    # Rounds to come have as many updates as those so far: clients that drop out send none.
    planned = rounds * num_updates(rows) // round_number
    if sent and num_updates(in_round, dropped=True) == sent:
        raise Diverged(f"no update of round {round_number} can be used: {_first(rows, in_round)}")
    if lost > MAX_DROPPED_SHARE * planned:
        raise Diverged(
            f"by round {round_number}, {lost} of the training's {planned} updates were dropped, "
            f"more than {MAX_DROPPED_SHARE:.0%}: {_first(rows, in_round)}"
        )
    if name := first_not_finite(model):
        raise Diverged(f"{name} of the global model is not finite after round {round_number}")


def check_returned(rows: Sequence[Row]) -> None:
    """Raise UserError if no client returned an update in the whole training."""
    if not num_updates(rows):
        raise UserError(
            "no selected client returned an update in any round, so the model is the random start; "
            "lower federation.faults.dropout or raise federation.faults.deadline."
        )


class Diverged(Exception):
    """A training that cannot go on; the message says where, without what may be to blame."""

    def explained(self, suspects: str, kept: Path) -> UserError:
        """Return the error for the user, with the settings to look at and the checkpoints."""
        return UserError(
            f"Training diverged: {self}. Settings most likely to blame: {suspects}. "
            f"Checkpoints of good rounds are kept in {kept}."
        )


def _first(rows: Sequence[Row], in_round: Sequence[Row]) -> str:
    clients = sorted({row["client"] for row in in_round if row.get("dropped")})
    first = next(row for row in rows if row.get("dropped"))
    return (
        f"{_clients(clients)} diverged; the first fault was {first['dropped']} "
        f"(round {first['round']}, client {first['client']})"
    )


def suspects(optimiser: Optimiser, precision: str, *declared: Any) -> str:
    """Return the settings that most often make a training diverge, as `name = value, ...`.

    The learning rate comes first, then low precision, then each numeric setting of `declared`
    (dataclasses of the method and the aggregator) that is not at its default.
    """
    found = [f"optimiser.lr = {optimiser.lr:g}", *_changed(declared)]
    if precision == "bf16":
        found.insert(1, f"precision = {precision}")
    return ", ".join(found[:_NAMED])


def _changed(declared: Iterable[Any]) -> Iterator[str]:
    for settings in declared:
        for each in fields(settings):
            value = getattr(settings, each.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and each.default is not MISSING and value != each.default:
                yield f"{each.name} = {value:g} (default {each.default})"


def _clients(clients: Sequence[int]) -> str:
    named = ", ".join(map(str, clients[:_NAMED]))
    more = f" and {len(clients) - _NAMED} more" if len(clients) > _NAMED else ""
    return f"client{'s'[: len(clients) != 1]} {named}{more}"


def backbone_change(start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> float:
    """Return ||end - start|| / ||start|| over the backbone's parameters; 0 if none moved.

    The head is not counted, because scores are of the backbone's features.
    """
    # Flatten first: a sum runs in memory order, which differs after a resumed training.
    before = {n: t.flatten().double() for n, t in start.items() if is_trained(n, t)}
    names = [name for name in before if name.startswith("backbone.")]
    moved = sum(float((end[n].flatten().double() - before[n]).square().sum()) for n in names)
    return math.sqrt(moved / sum(float(before[n].square().sum()) for n in names))
