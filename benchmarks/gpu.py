"""How fast a GPU trains, and what keeps it waiting: `python benchmarks/gpu.py`.

SimCLR with ResNet-18 and with ViT at 128 px, on images and on sound, as a client trains in a round.
`bank` are the views a second when samples come from a bank on disk (in the page cache; for a cold
disk see `reading.py`). `ready` are those of the same loop on a batch that is on the device already.
`share` is bank / ready, and `of peak` is what `ready` reaches of the chip's stated peak. Runs are
interleaved; the figures are medians. Targets: a share of 0.95, and channels last not slower.

`--device cpu --batch 8` tries the program without a GPU. So far it has run on CPUs only.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import torch
import yaml
from noise_banks import bank, write_images, write_waveforms
from timing import interleaved
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fedssl.aggregators.base import Visit
from fedssl.data.banks.bank import Bank, Modality
from fedssl.data.banks.rows import FileRows
from fedssl.device import prepare_device
from fedssl.federation.client import LocalTrainer
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.start import initial_method
from fedssl.federation.trainer import ClientTask
from fedssl.typed import typed
from fedssl.views.bank_views import Views

ROOT = Path(__file__).parents[1]
ARCHS = ("resnet18", "vit")
MODALITIES: tuple[Modality, ...] = ("image", "audio")
FORMATS = {"last": torch.channels_last, "first": torch.contiguous_format}
STATISTICS = {"mean": -3.0, "std": 2.0}
# Peak without sparsity in TFLOP/s, from NVIDIA's data sheets, by a part of the name that torch
# gives a GPU; the first that fits counts.
PEAKS = {
    "A100": {"fp32": 19.5, "tf32": 156.0, "bf16": 312.0},
    "H100 PCIe": {"fp32": 51.0, "tf32": 378.0, "bf16": 756.0},
    "H100 NVL": {"fp32": 60.0, "tf32": 417.5, "bf16": 835.5},
    "H200 NVL": {"fp32": 60.0, "tf32": 417.5, "bf16": 835.5},
    "H100": {"fp32": 67.0, "tf32": 494.5, "bf16": 989.0},
    "H200": {"fp32": 67.0, "tf32": 494.5, "bf16": 989.0},
}


class Case(NamedTuple):
    """What is trained, and how."""

    arch: str
    modality: Modality
    precision: str
    channels: str


class Rates(NamedTuple):
    """Views a second of a case."""

    bank: float
    ready: float


class ReadyViews:
    """Stands in for `Views`: every batch is the same one, on the device already."""

    def __init__(self, batch: int, size: int, device: torch.device) -> None:
        """Make the batch."""
        self._batch = torch.randn(batch, 3, size, size, device=device)

    def draw(self, indices: np.ndarray, _rng: np.random.Generator) -> int:
        """Return the size of the batch."""
        return len(indices)

    def render(self, drawn: int) -> Tensor:
        """Return the batch."""
        return self._batch[:drawn]


def settings_of(case: Case, *, batch: int) -> FederatedSettings:
    """Return the shipped settings of a cell that trains SimCLR for one local epoch."""
    shipped = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())
    settings = shipped["settings"] | {
        "aggregator": {"name": "fedavg"},
        "encoder": {"arch": case.arch, **shipped["encoders"][case.arch]},
        "method": {"name": "simclr", **shipped["methods"]["simclr"]},
        "portable": False,
        "precision": case.precision,
        "seed": 0,
        "split": {"image": "a0-i100-b0", "audio": "a100-i0-b0"}[case.modality],
        "threads": torch.get_num_threads(),
    }
    settings["federation"] |= {"batch_size": batch, "local_epochs": 1}
    return typed(FederatedSettings, settings)


def rates(case: Case, banks: dict[Modality, Bank], device: torch.device, *, batch: int) -> Rates:
    """Return the views a second of a case."""
    gpu = device.type == "cuda"
    if gpu:
        prepare_device(1, precision=case.precision)
    settings, bank = settings_of(case, batch=batch), banks[case.modality]
    # More steps on a GPU, so that the start of a client's training hardly counts.
    samples = np.arange((20 if gpu else 1) * batch) % len(bank.labels)
    sources = {
        "bank": Views(bank, settings, statistics=STATISTICS, device=device),
        "ready": ReadyViews(batch, settings.image.size, device),
    }
    # The trainer asks for channels last; nothing else can make it train with channels first.
    with mock.patch.object(torch, "channels_last", FORMATS[case.channels]):
        trainers = {
            name: LocalTrainer(
                initial_method(settings),
                {case.modality: source},  # type: ignore[dict-item]
                settings,
                device=device,
            )
            for name, source in sources.items()
        }
    state = trainers["bank"].method.global_state()
    received = {name: tensor.clone() for name, tensor in state.items()}
    task = ClientTask(1, 0, {case.modality: samples}, Visit(received, {}, {}, 1.0), {})
    # The mean loss, which a training returns, waits for the GPU.
    runs = {name: lambda own=own: own.train(task) for name, own in trainers.items()}
    seconds = interleaved(runs, runs=5 if gpu else 3)
    return Rates(**{name: 2 * len(samples) / taken for name, taken in seconds.items()})


def operations_per_view(arch: str) -> float:
    """Return the floating-point operations of a training step for one view of 128 px."""
    method = initial_method(settings_of(Case(arch, "image", "fp32", "last"), batch=2))
    with FlopCounterMode(display=False) as counter:
        method.training_step(torch.randn(2, 2, 3, 128, 128)).backward()
    return counter.get_total_flops() / 4


def peak(name: str, precision: str) -> float | None:
    """Return the stated peak of a GPU in operations a second; None if it is not in the table."""
    found = next((peaks for part, peaks in PEAKS.items() if part in name), None)
    return found and found[precision] * 1e12


def write_banks(folder: Path, *, samples: int) -> dict[Modality, Bank]:
    """Write a bank of noise of each modality and open it as training does."""
    write_images(folder / "images.npy", images=samples)
    write_waveforms(folder / "waveforms.npy", clips=samples)
    files: dict[Modality, Path] = {
        "image": folder / "images.npy",
        "audio": folder / "waveforms.npy",
    }
    return {m: bank(path, m, FileRows(path), clips=samples) for m, path in files.items()}


def report(device: torch.device, *, batch: int) -> None:
    """Print a line for each case."""
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name() if gpu else "CPU"
    print(f"{name}, batches of {batch}, load {os.getloadavg()[0]:.1f}")
    print("encoder   input  precision channels    bank   ready  share  of peak")
    operations = {arch: operations_per_view(arch) for arch in ARCHS}
    # A CPU has no TF32, and most have no bf16 either.
    precisions = ("fp32", "tf32", "bf16") if gpu else ("fp32",)
    with tempfile.TemporaryDirectory() as folder:
        banks = write_banks(Path(folder), samples=4 * batch)
        for values in product(ARCHS, MODALITIES, precisions, FORMATS):
            case = Case(*values)
            found = rates(case, banks, device, batch=batch)
            most = peak(name, case.precision)
            used = f"{found.ready * operations[case.arch] / most:.0%}" if most else "unknown"
            line = f"{case.arch:9s} {case.modality:6s} {case.precision:9s} {case.channels:8s}"
            numbers = f"{found.bank:7.0f} {found.ready:7.0f} {found.bank / found.ready:6.2f}"
            print(f"{line} {numbers} {used:>8s}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or say that there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU here; try the program with --device cpu --batch 8.")
    report(torch.device(options.device), batch=options.batch)


if __name__ == "__main__":
    main()
