"""The device of a job, and how many CPU threads a job on a GPU uses."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from fedssl.backbones.encoder import initialise
from fedssl.device import prepare_device
from fedssl.gpus import GPU_CORES


@pytest.fixture(autouse=True)
def settings_of_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave torch as it was."""
    threads = torch.get_num_threads()
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


@pytest.mark.parametrize("threads", [1, 3])
def test_the_setting_counts_on_a_cpu_only(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert prepare_device(threads).type == "cpu" and torch.get_num_threads() == threads
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert prepare_device(threads).type == "cuda" and torch.get_num_threads() == GPU_CORES


@pytest.mark.parametrize("arch", ["resnet18", "vit"])
def test_the_encoder_of_round_0_is_the_same_for_any_number_of_threads(arch: str) -> None:
    # It is made on the CPU, also where a GPU trains it.
    states = []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        states.append(initialise(0, arch=arch).state_dict())
    one, four = states
    assert all(np.array_equal(one[name].numpy(), four[name].numpy()) for name in one)
