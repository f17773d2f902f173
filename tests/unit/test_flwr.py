"""FedAvg's family, server optimisers and robust rules against Flower's, in another environment."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.aggregators import ClientUpdate, build, get_aggregator
from fedssl.aggregators.base import Aggregator
from fedssl.aggregators.cohort import collector

FLOWER = "flwr==1.27.0"  # wants an older rich than the workflow
PROGRAM = """
import sys
import numpy as np
from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server.strategy import FedAdam, FedAvgM
from flwr.server.strategy.aggregate import aggregate, aggregate_median, aggregate_trimmed_avg

given = np.load(sys.argv[1])
clients = range(int(given["clients"]))
results = [([given[f"a{c}"], given[f"b{c}"]], int(given["samples"][c])) for c in clients]
weighted = aggregate(results)
uniform = aggregate([(arrays, 1) for arrays, _ in results])
robust = {"median": aggregate_median(results), "median_even": aggregate_median(results[:4]),
          "trimmed": aggregate_trimmed_avg(results, 0.4)}

first = ndarrays_to_parameters([given["start"]])
momentum = FedAvgM(initial_parameters=first, server_learning_rate=0.7, server_momentum=0.8)
adam = FedAdam(initial_parameters=first, beta_1=0.9, beta_2=0.99, tau=1e-6)
found = {"fedavgm": [], "fedadam": []}
for number, target in enumerate(given["targets"], 1):  # what all clients of a round return
    # Flower corrects the bias of the moments. This rate undoes it, which leaves the paper's steps.
    adam.eta = 0.05 * (1 - 0.9 ** (number + 1)) / np.sqrt(1 - 0.99 ** (number + 1))
    fit = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([target]), 1, {})
    for name, strategy in (("fedavgm", momentum), ("fedadam", adam)):
        parameters, _ = strategy.aggregate_fit(number, [(None, fit)], [])
        found[name].append(parameters_to_ndarrays(parameters)[0])
found |= {f"{name}_{key}": array for name, own in robust.items() for key, array in zip("ab", own)}
np.savez(sys.argv[2], **found,
         fedavg_a=weighted[0], fedavg_b=weighted[1],
         fairavg_a=uniform[0], fairavg_b=uniform[1])
"""


@pytest.mark.slow
def test_rules_agree_with_flower(tmp_path: Path) -> None:
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
    start, targets = rng.normal(size=9), rng.normal(size=(4, 9))
    arrays |= {"start": start, "targets": targets}
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
    robust = {
        "median": ("median", {}, 5),
        "median_even": ("median", {}, 4),
        "trimmed": ("trimmed-mean", {"beta": 0.4}, 5),
    }
    for name, (rule, own, clients) in robust.items():
        collected = collector(build(rule, **own), state)
        for update in updates[:clients]:
            collected.add(update)
        model, _ = collected.step({})
        for key, tensor in (("a", "backbone.a"), ("b", "head.b")):
            np.testing.assert_allclose(model[tensor], flower[f"{name}_{key}"], rtol=1e-6, atol=1e-7)
    settings = {
        "fedavgm": {"server_lr": 0.7, "momentum": 0.8},
        "fedadam": {"server_lr": 0.05, "tau": 1e-6},
    }
    for rule, own in settings.items():
        steps = in_rounds(build(rule, **own), start, targets)
        np.testing.assert_allclose(steps, flower[rule], rtol=1e-4)


def in_rounds(rule: Aggregator, start: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the server's weights after rounds whose clients all return the targets."""
    state = {"backbone.a": torch.tensor(start)}
    server, found = rule.init(state), []
    for target in targets:
        state, server = rule.step(state, {"backbone.a": torch.tensor(target)}, server)
        found.append(state["backbone.a"].numpy())
    return np.stack(found)
