"""Random federations with dropouts, stragglers and attacks: laws of a round."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import hypothesis
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedssl.aggregators import ClientUpdate, build
from fedssl.aggregators.base import is_trained
from fedssl.errors import UserError
from fedssl.federation.faults import fates_of
from fedssl.federation.history import num_updates
from fedssl.federation.memory import build_memory
from fedssl.federation.one_round import Federation, run_round
from fedssl.federation.participants import client_holdings, clients_per_round, sample_clients
from fedssl.federation.server import Server, num_bytes
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.trainer import ClientTask, Trained
from fedssl.randomness import stream
from tests.unit.federations import SETTINGS, federated, sized, with_faults

MODEL = {
    "backbone.w": torch.tensor([0.5, -1.0, 2.0]),
    "backbone.bn.running_var": torch.tensor([1.0]),
    "head.b": torch.tensor([0.25, 4.0]),
}
MEANS = ("fedavg", "fairavg", "loss", "fedavg-bb")
RULES = (*MEANS, "median", "median-bb", "trimmed-mean", "l-dawa")
laws = hypothesis.settings(deadline=None, max_examples=40)
SENT = {"sent": ("backbone.", "head."), "kept": ()}

FAULTS = st.fixed_dictionaries(
    {
        "dropout": st.sampled_from([0.0, 0.3, 0.9]),
        "deadline": st.sampled_from([None, 1.0, 20.0, 1e9]),
        "speed_sigma": st.sampled_from([0.0, 1.0]),
        "attack": st.sampled_from([None, "sign-flip", "scaling", "gaussian"]),
        "malicious": st.sampled_from([0.0, 0.4, 1.0]),
        "attack_scale": st.sampled_from([1.0, 50.0]),
    }
)


@dataclass(frozen=True)
class Drifting:
    """A trainer that moves each client by a draw of its own in no time, and notes whom it trained.

    The variance stays positive.
    """

    trained: dict[int, ClientUpdate] = field(default_factory=dict)

    def train_each(self, tasks: Iterable[ClientTask]) -> Iterator[Trained]:
        for task in tasks:
            rng = stream(1, "drift", round=task.round, client=task.client)
            moved = {
                name: tensor * float(rng.uniform(0.5, 1.5)) + float(rng.uniform(0.0, 0.1))
                for name, tensor in {**MODEL, **task.local, **task.visit.received}.items()
            }
            update = ClientUpdate(moved, task.num_samples, float(rng.uniform(0.1, 2.0)))
            self.trained[task.client] = update
            rows = [
                {"round": task.round, "client": task.client, "modality": modality}
                | {"samples": len(held), "steps": 1, "loss": 1.0, "seconds": 0.0}
                for modality, held in task.samples.items()
            ]
            yield Trained(update, {}, rows)


@st.composite
def federations(draw: st.DrawFn, rules: tuple[str, ...] = RULES) -> Federation:
    """Draw a federation of 1 to 12 clients with 0 or more samples of each modality."""
    clients = draw(st.integers(1, 12))
    size = st.sampled_from([0, 1, 2, 3, 17])
    parts = {m: sized([draw(size) for _ in range(clients)]) for m in ("image", "audio")}
    own = SETTINGS["federation"] | {  # type: ignore[operator]
        "clients": clients,
        "fraction": draw(st.sampled_from([0.1, 0.5, 1.0])),
        "clipping_norm": draw(st.sampled_from([None, 0.5])),
        "faults": draw(st.none() | FAULTS),
    }
    split = draw(st.sampled_from(["a0-i0-b100", "a50-i50-b0", "a100-i0-b0"]))
    rule = draw(st.sampled_from(rules))
    changes = {"split": split, "seed": draw(st.integers(0, 5)), "aggregator": {"name": rule}}
    settings = federated(SETTINGS | changes | {"federation": own})
    holdings = [{} for _ in range(clients)]
    if any(len(part) > 1 for part in parts["audio"] + parts["image"]):
        try:
            holdings = client_holdings(settings, parts)
        except UserError:  # the split gives nobody the modality that has samples
            holdings[0] = {"image": np.arange(2)}
    else:
        holdings[0] = {"image": np.arange(2)}
    memory = build_memory(settings, **SENT)  # type: ignore[arg-type]
    return Federation(Drifting(), build(rule), memory, holdings, settings, "")  # type: ignore[arg-type]


def one_round(federation: Federation, number: int = 1) -> tuple[Server, list[dict[str, Any]], Any]:
    trainer, memory = Drifting(), build_memory(federation.settings, **SENT)  # type: ignore[arg-type]
    server = Server(MODEL, federation.aggregator.init(MODEL))
    fresh = replace(federation, trainer=trainer, memory=memory)  # type: ignore[arg-type]
    after, rows = run_round(fresh, server, number)
    return after, rows, trainer.trained


def without(settings: FederatedSettings, **changes: object) -> FederatedSettings:
    return replace(settings, federation=replace(settings.federation, **changes))  # type: ignore[arg-type]


def bits(model: Mapping[str, torch.Tensor]) -> dict[str, list[float]]:
    return {name: tensor.tolist() for name, tensor in model.items()}


@laws
@given(federations())
def test_the_history_says_who_was_selected_who_left_and_who_returned(own: Federation) -> None:
    _, rows, trained = one_round(own)
    usable = [client for client, held in enumerate(own.holdings) if held]
    chosen = [client for client in dict.fromkeys(row["client"] for row in rows)]
    plain = without(own.settings, faults=None, clipping_norm=None)
    assert chosen == sample_clients(own.holdings, plain, round_number=1), "faults change no draw"
    assert len(chosen) == min(clients_per_round(own.settings), len(usable))
    assert set(chosen) <= set(usable)
    for client in chosen:
        mine = [row for row in rows if row["client"] == client]
        assert [row["modality"] for row in mine] == list(own.holdings[client])
        reasons = {row.get("absent") for row in mine}
        assert len(reasons) == 1 and (reasons == {None}) == (client in trained)
        assert all((row["steps"] == 0) == (client not in trained) for row in mine)
    assert num_updates(rows) == len(trained)
    declared = own.settings.federation.faults is not None
    assert all(("absent" in row) == ("attack" in row) == declared for row in rows)


@laws
@given(federations(MEANS))
def test_the_next_model_is_within_the_clients_and_their_clipping_norm(own: Federation) -> None:
    after, rows, trained = one_round(own)
    if not trained:
        assert bits(after.model) == bits(MODEL), "all dropped out: the server keeps its model"
        return
    sent = [name for name in MODEL if own.memory.travels(name)]
    trained_names = [name for name in sent if is_trained(name, MODEL[name])]
    change = (after.model[name].double() - MODEL[name].double() for name in trained_names)
    if (norm := own.settings.federation.clipping_norm) is not None:
        assert sum(float(c.square().sum()) for c in change) ** 0.5 <= norm * 1.00001
    elif not any(row.get("attack") for row in rows):
        for name in sent:
            values = torch.stack([update.state[name] for update in trained.values()]).double()
            model = after.model[name].double()
            assert bool((values.amin(0) - 1e-6 <= model).all())
            assert bool((model <= values.amax(0) + 1e-6).all())


@laws
@given(federations())
def test_a_round_is_a_pure_function_and_counts_its_bytes(own: Federation) -> None:
    first, rows, trained = one_round(own)
    again, same_rows, _ = one_round(own)
    assert bits(first.model) == bits(again.model) and rows == same_rows
    whole = num_bytes({name: MODEL[name] for name in MODEL if own.memory.travels(name)})
    assert first.bytes_down == whole * len({row["client"] for row in rows})
    assert first.bytes_up == whole * len(trained)
    assert bool((first.model["backbone.bn.running_var"] > 0).all())


@laws
@given(federations())
def test_faults_that_never_happen_change_nothing(own: Federation) -> None:
    never = {"dropout": 0.0, "deadline": 1e12, "speed_sigma": 1.0, "malicious": 0.0}
    faults = federated(with_faults(never)).federation.faults
    plain = replace(own, settings=without(own.settings, faults=None))
    same = replace(own, settings=without(own.settings, faults=faults))
    assert bits(one_round(plain)[0].model) == bits(one_round(same)[0].model)


def absent(own: Federation, **faults: object) -> set[int]:
    declared = federated(with_faults(faults)).federation.faults
    settings, chosen = without(own.settings, faults=declared), range(len(own.holdings))
    fates = fates_of(own.holdings, chosen, settings, round_number=3)
    return {client for client, fate in fates.items() if fate["absent"]}


@laws
@given(federations())
def test_more_dropout_or_less_time_only_adds_to_the_absent(own: Federation) -> None:
    drops = [absent(own, dropout=share) for share in (0.0, 0.2, 0.5, 0.99)]
    late = [absent(own, deadline=time, speed_sigma=0.5) for time in (1e9, 40.0, 10.0, 1e-9)]
    for each in (drops, late):
        assert all(few <= many for few, many in pairwise(each))
    everybody = {client for client, held in enumerate(own.holdings) if held}
    assert drops[0] == late[0] == set() and late[3] == everybody
