"""The program behind `make test-gpu` counts what it says, and works without a GPU."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fedssl.resources.arithmetic import GPU

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gpu")


def test_a_step_has_the_operations_of_the_layers(gpu: ModuleType) -> None:
    # 1.81 billion multiplications for 224 px; a backward pass costs twice a forward pass, without
    # the gradient of the first convolution's input.
    found = gpu.operations_per_view("resnet18")
    assert found == pytest.approx(3 * 2 * 1.81e9 * (128 / 224) ** 2, rel=0.04)


def test_the_peak_of_a_gpu_is_found_by_its_name(gpu: ModuleType) -> None:
    assert gpu.peak("NVIDIA A100-SXM4-40GB", "tf32") == 156e12
    assert gpu.peak("NVIDIA H100 PCIe", "bf16") == 756e12
    assert gpu.peak("NVIDIA H100 80GB HBM3", "bf16") == 989e12
    assert gpu.peak("NVIDIA H200", "fp32") == 67e12
    assert gpu.peak("Tesla T4", "fp32") is None
    assert GPU in gpu.PEAKS


@pytest.mark.parametrize(("modality", "channels"), [("image", "last"), ("audio", "first")])
def test_a_case_trains_on_a_bank_and_on_a_ready_batch(
    modality: str, channels: str, gpu: ModuleType, tmp_path: Path
) -> None:
    banks = gpu.write_banks(tmp_path, samples=4)
    case = gpu.Case("resnet18", modality, "fp32", channels)
    found = gpu.rates(case, banks, torch.device("cpu"), batch=2)
    assert found.bank > 0 and found.ready > 0


def test_without_a_gpu_the_program_names_the_way_to_try_it(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="--device cpu --batch 8"):
        gpu.main([])
