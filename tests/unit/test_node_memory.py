"""What a client keeps on its node, and what the server knows of it."""

from pathlib import Path

import pytest
import torch

from fedssl.errors import UserError
from fedssl.federation.memory import ClientMemory
from fedssl.flower.node_memory import RemoteMemory, recall, remember


def kept_rounds(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_node_has_what_either_checkpoint_of_the_server_can_ask_for(tmp_path: Path) -> None:
    for number, after in ((1, 0), (4, 1), (6, 4), (7, 6)):
        remember(tmp_path, {"0/note/a": torch.tensor(number)}, round_number=number, after=after)
    # The server that resumes after round 6 asks for 6, and after round 5 for 4.
    assert kept_rounds(tmp_path) == {f"round{number}.safetensors" for number in (4, 6, 7)}
    assert recall(tmp_path, 6)["0/note/a"] == 6 and recall(tmp_path, 0) == {}
    # Round 6 again, after a resumed start: what the lost attempt at round 7 kept goes.
    remember(tmp_path, {"0/note/a": torch.tensor(60)}, round_number=6, after=4)
    assert kept_rounds(tmp_path) == {f"round{number}.safetensors" for number in (4, 6)}
    assert recall(tmp_path, 6)["0/note/a"] == 60


def test_a_memory_that_a_node_has_lost_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"round3\.safetensors is missing.*--node-config"):
        recall(tmp_path, 3)


def test_the_server_knows_the_round_alone() -> None:
    memory = RemoteMemory(ClientMemory(sent=("backbone.",), kept=("head.",)))
    trained = {"backbone.a": torch.ones(1), "head.b": torch.ones(1)}
    assert memory.round_of(2) == 0
    memory.keep(2, trained, {"round": torch.tensor(5)})
    assert list(memory.state()) == ["2/note/round"]
    again = RemoteMemory(ClientMemory(sent=("backbone.",), kept=("head.",)))
    again.load(memory.state())
    assert again.round_of(2) == 5 and again.notes(2) == {} and again.local(2) == {}
    assert list(again.travelling(trained)) == ["backbone.a"]
