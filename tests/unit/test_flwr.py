"""The FedAvg family against Flower's own aggregate, in an environment of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.aggregators import ClientUpdate, get_aggregator

FLOWER = "flwr==1.27.0"  # wants an older rich than the workflow
PROGRAM = """
import sys
import numpy as np
from flwr.server.strategy.aggregate import aggregate

given = np.load(sys.argv[1])
clients = range(int(given["clients"]))
results = [([given[f"a{c}"], given[f"b{c}"]], int(given["samples"][c])) for c in clients]
weighted = aggregate(results)
uniform = aggregate([(arrays, 1) for arrays, _ in results])
np.savez(sys.argv[2], fedavg_a=weighted[0], fedavg_b=weighted[1],
         fairavg_a=uniform[0], fairavg_b=uniform[1])
"""


@pytest.mark.slow
def test_fedavg_and_fairavg_agree_with_flower(tmp_path: Path) -> None:
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "environment")], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", FLOWER], check=True)
    rng = np.random.default_rng(0)
    arrays = {
        f"{name}{c}": rng.normal(size=shape).astype(np.float32)
        for c in range(5)
        for name, shape in (("a", (7, 3)), ("b", (11,)))
    }
    samples = np.array([3, 50, 1, 17, 200])
    np.savez(tmp_path / "given.npz", clients=5, samples=samples, **arrays)
    files = [tmp_path / "given.npz", tmp_path / "flower.npz"]
    subprocess.run([python, "-c", PROGRAM, *files], check=True)
    flower = np.load(files[1])
    state = {"backbone.a": torch.zeros(7, 3), "head.b": torch.zeros(11)}
    updates = [
        ClientUpdate(
            {"backbone.a": torch.tensor(arrays[f"a{c}"]), "head.b": torch.tensor(arrays[f"b{c}"])},
            int(samples[c]),
            1.0,
        )
        for c in range(5)
    ]
    for rule in ("fedavg", "fairavg"):
        ours = get_aggregator(rule)(state, updates)
        np.testing.assert_allclose(ours["backbone.a"], flower[f"{rule}_a"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ours["head.b"], flower[f"{rule}_b"], rtol=1e-5, atol=1e-6)
    assert not np.allclose(flower["fedavg_a"], flower["fairavg_a"], atol=1e-3)
