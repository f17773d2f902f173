"""Faults of clients: who is absent, for how long a client trains, and who is malicious."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssl.errors import UserError
from fedssl.federation.batches import epoch_batches
from fedssl.federation.divergence import check_returned, check_round
from fedssl.federation.faults import fates_of, malicious_clients
from fedssl.federation.history import write_rows
from fedssl.federation.participants import client_holdings, sample_clients
from fedssl.federation.settings import Faults, FederatedSettings
from fedssl.grid.cells import Grid
from fedssl.grid.configuration import SHIPPED, merged, read_layers
from fedssl.randomness import stream
from fedssl.schema.validate import validate
from fedssl.typed import typed
from tests.unit.federations import SETTINGS, federated, sized, with_faults
from tests.unit.figures import ROOT, shipped


def test_a_duration_is_samples_times_epochs_times_slowness() -> None:
    holdings = [{"image": np.arange(3), "audio": np.arange(2)}, {"image": np.arange(30)}]
    settings = federated(with_faults({"deadline": 20.0}))  # 2 local epochs
    fates = fates_of(holdings, [0, 1], settings, round_number=1)
    assert fates[0] == {"absent": None, "attack": None, "duration": 10.0}
    assert fates[1] == {"absent": "straggler", "attack": None, "duration": 60.0}


def test_slowness_is_log_normal_and_stays_with_the_client() -> None:
    holdings = [{"image": np.arange(2)}] * 400
    settings = federated(with_faults({"deadline": 1e9, "speed_sigma": 0.7}))
    first, later = (fates_of(holdings, range(400), settings, round_number=r) for r in (1, 9))
    assert first == later
    logs = np.log([fate["duration"] / 4 for fate in first.values()])
    assert abs(logs.mean()) < 0.12 and abs(logs.std() - 0.7) < 0.08


def test_clients_drop_out_as_often_as_asked_and_anew_in_every_round() -> None:
    holdings = [{"image": np.arange(2)}] * 100
    settings = federated(with_faults({"dropout": 0.3}))
    rounds = [fates_of(holdings, range(100), settings, round_number=r) for r in range(1, 31)]
    gone = np.array([[fate["absent"] == "dropout" for fate in each.values()] for each in rounds])
    assert abs(gone.mean() - 0.3) < 0.03
    assert gone.mean(axis=0).min() > 0 and gone.mean(axis=0).max() < 0.7


def test_a_larger_share_of_malicious_clients_adds_to_a_smaller_one() -> None:
    own = SETTINGS["federation"] | {"clients": 40}  # type: ignore[operator]
    found = []
    for share in (0.0, 0.1, 0.25, 1.0):
        faults = {"attack": "sign-flip", "malicious": share}
        settings = federated(SETTINGS | {"federation": own | {"faults": faults}})
        found.append(malicious_clients(settings))
    assert [len(clients) for clients in found] == [0, 4, 10, 40]
    assert found[1] <= found[2] <= found[3]
    assert malicious_clients(federated(with_faults({"malicious": 1.0}))) == set()


@hypothesis.settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=9),
    st.sampled_from(["a0-i0-b100", "a100-i0-b0", "a0-i100-b0", "a40-i40-b20"]),
    st.sampled_from(["alternate", "shuffle", "image-first", "audio-first"]),
    st.integers(2, 9),
)
def test_empty_clients_never_train_and_others_lose_one_sample_of_a_modality_at_most(
    sizes: list[tuple[int, int]], split: str, order: str, batch_size: int
) -> None:
    parts = {
        m: sized([pair[place] for pair in sizes]) for place, m in enumerate(("image", "audio"))
    }
    own = SETTINGS["federation"] | {"clients": len(sizes), "fraction": 1.0}  # type: ignore[operator]
    settings = federated(SETTINGS | {"federation": own, "split": split})
    try:
        holdings = client_holdings(settings, parts)
    except UserError as error:
        assert "holds 2 samples of a modality" in str(error)
        return
    chosen = sample_clients(holdings, settings, round_number=1)
    assert chosen == [client for client, held in enumerate(holdings) if held]
    for client in chosen:
        held = holdings[client]
        assert all(len(samples) >= 2 for samples in held.values())
        drawn = {"batch_size": batch_size, "order": order, "rng": stream(0, "test", client=client)}
        batches = list(epoch_batches(held, **drawn))  # type: ignore[arg-type]
        for modality, samples in held.items():
            mine = [batch for kind, batch in batches if kind == modality]
            trained = np.concatenate(mine)
            assert min(map(len, mine)) >= 2 and max(map(len, mine)) <= batch_size
            assert set(trained) <= set(samples) and len(set(trained)) == len(trained)
            assert len(samples) - len(trained) == (len(samples) % batch_size == 1)


def row(client: int, **columns: object) -> dict[str, Any]:
    return {"round": 1, "client": client, "modality": "image", "dropped": None, **columns}


def test_absent_and_malicious_clients_are_no_sign_of_divergence() -> None:
    absent = [row(client, absent="dropout") for client in range(9)]
    check_round(absent, 1, {}, rounds=1)
    check_round([*absent, row(9, absent=None)], 1, {}, rounds=1)
    exploded = [row(client, dropped="not finite", attack="scaling") for client in range(5)]
    check_round([*exploded, row(9, attack=None)], 1, {}, rounds=1)
    check_returned([row(9, absent=None)])
    with pytest.raises(UserError, match=r"no selected client .* lower federation\.faults\.dropout"):
        check_returned(absent)


def test_the_written_history_has_columns_of_faults_only_if_there_are_any(tmp_path: Path) -> None:
    write_rows([row(1)], str(tmp_path / "plain.csv"))
    write_rows([row(1, absent="dropout", attack=None)], str(tmp_path / "faults.csv"))
    plain, faults = ((tmp_path / f"{n}.csv").read_text().splitlines() for n in ("plain", "faults"))
    assert (
        plain[0]
        == "round,client,modality,samples,steps,loss,learning_rate,update_norm,seconds,dropped"
    )
    assert faults == [f"{plain[0]},absent,attack", "1,1,image,,,,,,,,dropout,"]


PAGE = ROOT / "docs/faults.md"


def test_the_page_shows_a_file_that_plans_and_every_column_and_key(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    example = re.search(r'```yaml title="my.yaml"\n(.*?)```', text, re.DOTALL)
    assert example is not None
    (file := tmp_path / "my.yaml").write_text(example[1])
    files = [ROOT / "config" / name for name in (*SHIPPED, "demo.yaml")]
    layers = read_layers([*files, file], {})
    validate(merged(layers), layers)
    grid = Grid(merged(layers), layers)
    faults = {c.variant: grid.settings(c)["federation"].get("faults") for c in grid.cells}
    assert faults["base"] is None and faults["faults"]["deadline"] == 300
    columns = ("absent", "duration", "attack", "clipped", "dropped")
    assert [name for name in columns if f"| `{name}` |" not in text] == []
    assert [f.name for f in fields(Faults) if f"`faults.{f.name}`" not in text] == []


def test_no_shipped_cell_has_a_setting_of_faults_or_clipping() -> None:
    for names in ((), ("demo.yaml",), ("mini.yaml",)):
        grid, _ = shipped(*names)
        for cell in grid.cells:
            assert {"faults", "clipping_norm"} & grid.settings(cell)["federation"].keys() == set()


def test_a_variant_can_take_the_faults_of_its_study_away() -> None:
    own = {"federation": {"faults": {"dropout": 0.1, "deadline": 5.0}, "clipping_norm": 1.0}}
    base = {"federation": {"faults": {"deadline": None}, "clipping_norm": None}}
    study = {"settings": own, "variants": {"base": base, "e1": {"federation": {"faults": None}}}}
    grid, _ = shipped("demo.yaml", studies={"fssuavl": study, "fassl": {"cells": []}}, tables={})
    found = {cell.variant: typed(FederatedSettings, grid.settings(cell)) for cell in grid.cells}
    federation = found["base"].federation
    assert federation.faults == Faults(dropout=0.1) and federation.clipping_norm is None
    assert found["e1"].federation.faults is None
