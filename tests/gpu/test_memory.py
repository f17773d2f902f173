"""The GPU memory of a client is what planning takes it to be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.aggregators.base import Visit
from fedssl.data.banks.bank import open_bank
from fedssl.federation.client import LocalTrainer
from fedssl.federation.settings import FederatedSettings
from fedssl.federation.start import initial_method
from fedssl.federation.trainer import ClientTask
from fedssl.grid.cell import Cell
from fedssl.resources import costs
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from tests.unit import banks
from tests.unit.figures import shipped_plan


@pytest.mark.parametrize("arch", ["resnet18", "vit"])
def test_a_client_of_the_papers_takes_no_more_gpu_memory_than_planned(
    arch: str, gpu: torch.device, tmp_path: Path
) -> None:
    plan = shipped_plan(results=str(tmp_path))
    cell = Cell("fssuavl", "simclr", arch, "fedavg", "a0-i100-b0", "base", 0)
    planned = costs.client_gpu_mb(plan, cell)
    if gpu.type == "cuda" and torch.cuda.mem_get_info()[0] / 2**20 < planned:
        pytest.skip(f"needs {planned:.0f} MB of free GPU memory")
    settings = typed(FederatedSettings, plan.grid.settings(cell))
    banks.write(banks.images(400, size=8), tmp_path / "bank")
    views = Views(open_bank(tmp_path / "bank"), settings, statistics=None, device=gpu)
    trainer = LocalTrainer(initial_method(settings), {"image": views}, settings, device=gpu)
    torch.cuda.reset_peak_memory_stats()
    received = {name: tensor.clone() for name, tensor in trainer.method.global_state().items()}
    visit = Visit(received, {}, {}, 1.0)
    trainer.train(ClientTask(1, 0, {"image": np.arange(256)}, visit, {}))
    # Without the context of CUDA, which is a part of the plan.
    used = torch.cuda.max_memory_allocated() / 2**20
    assert planned / 3 < used < planned
