"""The engine of a pretraining."""

import importlib.util

import pytest

from fedssl.errors import UserError
from fedssl.federation import rounds
from fedssl.federation.engine import pretraining


def test_the_native_engine_needs_nothing() -> None:
    assert pretraining("native", "unused") is rounds.pretrain


def test_without_flower_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedssl.federation.engine.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"flwr is not installed.*make flower.*\.venv-flower"):
        pretraining("flower")


@pytest.mark.skipif(importlib.util.find_spec("flwr") is None, reason="flwr is not installed here")
def test_a_superlink_chooses_the_deployment() -> None:
    assert pretraining("flower").__module__ == "fedssl.flower.simulation"
    assert pretraining("flower", "mine").keywords == {"superlink": "mine"}  # type: ignore[attr-defined]
