"""Tensors in shared memory: what is read is what was written, by whichever process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fedssl.federation.shared import Memory, Message, read, write

_IMAGES = torch.arange(48.0).view(2, 3, 4, 2)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(7),
        torch.tensor([True, False]),
        torch.arange(6.0, dtype=torch.float64).view(2, 3).T,
        torch.arange(5, dtype=torch.bfloat16),
        torch.empty(0, 3),
        _IMAGES.to(memory_format=torch.channels_last),
        _IMAGES[:, 1:, ::2],
        torch.ones(1, 4, 1, 1).to(memory_format=torch.channels_last),
        torch.ones(3, requires_grad=True),
    ],
    ids=["scalar", "bool", "transposed", "bf16", "empty", "last", "sliced", "ones", "grad"],
)
def test_a_tensor_comes_back(tensor: Tensor) -> None:
    memory = Memory()
    # After another one, so that its offset is not 0.
    (state,) = read(write(memory.path, {"first": torch.tensor([1, 2, 3]), "it": tensor}))
    assert state["first"].tolist() == [1, 2, 3]
    assert state["it"].dtype == tensor.dtype and torch.equal(state["it"], tensor)


def test_the_order_in_memory_stays() -> None:
    memory, last = Memory(), _IMAGES.to(memory_format=torch.channels_last)
    (state,) = read(write(memory.path, {"last": last, "first": _IMAGES}))
    assert state["last"].stride() == last.stride() and state["first"].is_contiguous()


def test_states_stay_apart_and_may_be_empty() -> None:
    memory = Memory()
    one, none, two = read(write(memory.path, {"a": _IMAGES}, {}, {"a": _IMAGES + 1}))
    assert torch.equal(one["a"] + 1, two["a"]) and none == {}
    assert read(write(Memory().path, {}, {})) == [{}, {}]


def test_changes_reach_nobody_else_and_tensors_outlive_the_memory() -> None:
    memory = Memory()
    message = write(memory.path, {"a": torch.zeros(3)})
    (changed,), (other,) = read(message), read(message)
    changed["a"].add_(1)
    descriptor = int(Path(memory.path).name)
    del memory
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert changed["a"].tolist() == [1, 1, 1] and other["a"].tolist() == [0, 0, 0]


def test_another_process_reads_and_writes(tmp_path: Path) -> None:
    there, back = Memory(), Memory()
    message = write(there.path, {"a": torch.arange(3)})
    torch.save(tuple(message), tmp_path / "message")
    script = (
        "import sys, torch; from fedssl.federation.shared import Message, read, write;"
        "(state,) = read(Message(*torch.load(sys.argv[1], weights_only=False)));"
        "answer = write(sys.argv[2], {'a': state['a'] * 2});"
        "torch.save(tuple(answer), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "message", back.path], check=True)
    answer = Message(*torch.load(tmp_path / "message", weights_only=False))
    (state,) = read(answer)
    assert state["a"].tolist() == [0, 2, 4]
