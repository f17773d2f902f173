"""FedAvgM, FedAdam, FedProx and SCAFFOLD: worked by hand, and their ties to FedAvg."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fedssl.aggregators import ClientUpdate, build
from fedssl.aggregators.accumulator import Accumulator, State
from fedssl.aggregators.base import Visit
from fedssl.federation.rounds import run_round, set_up
from fedssl.federation.schedule import Reach
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, federated, lay_out, run

CPU = torch.device("cpu")
SHORT = SETTINGS["federation"] | {"rounds": 2, "fraction": 1.0, "local_epochs": 1}  # type: ignore[operator]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("optimisers"))


def state(value: float) -> State:
    return {"backbone.w": torch.tensor([value], dtype=torch.float64)}


def test_fedavgm_by_hand() -> None:
    """Hsu et al. 2019, section 4: v <- beta v + (w - mean), w <- w - v."""
    rule = build("fedavgm", momentum=0.5, server_lr=2.0)
    first, server = rule.step(state(1.0), state(0.8), rule.init(state(1.0)))
    assert float(first["backbone.w"]) == pytest.approx(1.0 - 2.0 * 0.2)
    second, _ = rule.step(first, state(0.7), server)
    velocity = 0.5 * 0.2 + (0.6 - 0.7)
    assert float(second["backbone.w"]) == pytest.approx(0.6 - 2.0 * velocity)


def test_fedadam_by_hand() -> None:
    """Reddi et al. 2021, algorithm 2, from m = 0 and v = tau^2."""
    rule = build("fedadam", server_lr=0.1, beta_1=0.9, beta_2=0.99, tau=0.01)
    first, server = rule.step(state(1.0), state(1.5), rule.init(state(1.0)))
    m, v = 0.1 * 0.5, 0.99 * 0.01**2 + 0.01 * 0.5**2
    expected = 1.0 + 0.1 * m / (math.sqrt(v) + 0.01)
    assert float(first["backbone.w"]) == pytest.approx(expected)
    change = 1.2 - expected
    m, v = 0.9 * m + 0.1 * change, 0.99 * v + 0.01 * change**2
    second, _ = rule.step(first, state(1.2), server)
    assert float(second["backbone.w"]) == pytest.approx(expected + 0.1 * m / (math.sqrt(v) + 0.01))


@pytest.mark.parametrize("name", ["fedavgm", "fedadam", "scaffold"])
def test_statistics_of_batch_norm_are_averaged_and_not_stepped(name: str) -> None:
    rule = build(name)
    before = {
        "backbone.bn.running_var": torch.tensor([1.0]),
        "backbone.bn.num_batches_tracked": torch.tensor(3),
        "backbone.w": torch.tensor([1.0]),
    }
    average = {key: tensor * 4 for key, tensor in before.items()}
    server = {key: tensor + 1.0 for key, tensor in rule.init(before).items()}
    after, _ = rule.step(before, average, server)
    assert after.keys() == before.keys()
    assert float(after["backbone.bn.running_var"]) == 4.0
    assert int(after["backbone.bn.num_batches_tracked"]) == 12
    assert all(key.endswith("backbone.w") for key in rule.init(before))


@pytest.mark.parametrize("name", ["fedavgm", "fedadam", "scaffold"])
def test_clients_that_stay_where_the_server_is_leave_a_fresh_server_there(name: str) -> None:
    rule = build(name)
    after, server = rule.step(state(0.3), state(0.3), rule.init(state(0.3)))
    assert torch.equal(after["backbone.w"], state(0.3)["backbone.w"])
    assert all(
        torch.equal(t, rule.init(after)[n]) or n.startswith("square/") for n, t in server.items()
    )


def with_gradient(value: float, gradient: float) -> dict[str, torch.Tensor]:
    parameter = torch.tensor([value], dtype=torch.float64, requires_grad=True)
    parameter.grad = torch.tensor([gradient], dtype=torch.float64)
    return {"backbone.w": parameter}


def test_fedprox_adds_the_gradient_of_its_proximal_term() -> None:
    """Li et al. 2020, equation 2: d/dw (mu / 2) (w - 1)^2 = mu (w - 1)."""
    parameters = with_gradient(3.0, gradient=0.25)
    parameters["head.own"] = torch.ones(1, requires_grad=True)
    parameters["head.own"].grad = torch.ones(1)
    build("fedprox", mu=0.5).correct(parameters, Visit(state(1.0), {}, {}, 1.0))
    assert float(parameters["backbone.w"].grad) == 0.25 + 0.5 * (3.0 - 1.0)  # type: ignore[arg-type]
    assert float(parameters["head.own"].grad) == 1.0  # type: ignore[arg-type]


def control(value: float) -> State:
    return {"control/backbone.w": torch.tensor([value], dtype=torch.float64)}


def test_scaffold_by_hand() -> None:
    """Karimireddy et al. 2020, algorithm 1, option II; K = 2 steps at 0.1 of gradient 1."""
    rule = build("scaffold", server_lr=0.5)
    visit = Visit(state(1.0), control(0.2), control(0.5), 0.25)
    parameters = with_gradient(1.0, gradient=1.0)
    rule.correct(parameters, visit)
    assert float(parameters["backbone.w"].grad) == pytest.approx(1.0 - 0.5 + 0.2)  # type: ignore[arg-type]
    trained = 1.0 - 2 * 0.1 * 0.7
    report, kept = rule.finish(visit, state(trained), reach=2 * 0.1)
    assert float(kept["control/backbone.w"]) == pytest.approx(1.0), "the mean gradient"
    assert float(report["control/backbone.w"]) == pytest.approx(0.25 * (1.0 - 0.5))
    accumulator = Accumulator(rule, state(1.0))
    accumulator.add(ClientUpdate(state(trained), 10, 1.0, report))
    accumulator.add(ClientUpdate(state(1.2), 30, 1.0, control(-0.3)))
    after, server = accumulator.step(control(0.2))
    mean = 0.25 * trained + 0.75 * 1.2
    assert float(after["backbone.w"]) == pytest.approx(1.0 + 0.5 * (mean - 1.0))
    assert after.keys() == {"backbone.w"}
    changed = 0.25 * 0.125 + 0.75 * -0.3
    assert float(server["control/backbone.w"]) == pytest.approx(0.2 + changed)


def test_scaffolds_control_variate_is_the_mean_gradient_with_momentum_too() -> None:
    parameter = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    optimiser, reach = torch.optim.SGD([parameter], lr=0.1, momentum=0.9), Reach(0.9)
    for lr in (0.1, 0.1, 0.02):
        optimiser.param_groups[0]["lr"] = lr
        parameter.grad = torch.tensor([0.7], dtype=torch.float64)
        optimiser.step()
        reach.advance(lr)
    visit = Visit(state(1.0), control(0.0), {}, 1.0)
    trained = {"backbone.w": parameter.detach()}
    _, kept = build("scaffold").finish(visit, trained, reach=reach.value)
    assert float(kept["control/backbone.w"]) == pytest.approx(0.7)


def test_without_a_proximal_term_fedprox_trains_fedavgs_bits(
    inputs: dict[str, str], tmp_path: Path
) -> None:
    found = {
        name: sha256(run(inputs, tmp_path / name, federation=SHORT, aggregator=aggregator))
        for name, aggregator in {
            "fedavg": {"name": "fedavg"},
            "none": {"name": "fedprox", "mu": 0.0},
            "some": {"name": "fedprox", "mu": 0.1},
        }.items()
    }
    assert found["none"] == found["fedavg"] != found["some"]


@pytest.mark.parametrize("aggregator", [{"name": "fedavgm", "momentum": 0.0}, {"name": "scaffold"}])
def test_one_round_is_fedavgs_where_nothing_is_remembered_yet(
    inputs: dict[str, str], aggregator: dict[str, object]
) -> None:
    """SCAFFOLD's control variates are 0 then."""
    models = {}
    for name, own in {"fedavg": {"name": "fedavg"}, "other": aggregator}.items():
        settings = SETTINGS | {"federation": SHORT, "aggregator": own}
        federation, server = set_up(federated(settings), inputs, device=CPU)
        models[name] = run_round(federation, server, 1)[0].model
    for name, tensor in models["fedavg"].items():
        torch.testing.assert_close(models["other"][name], tensor, rtol=1e-6, atol=1e-7)


def test_without_momentum_fedavgms_server_gives_the_average_whatever_it_remembers() -> None:
    rule = build("fedavgm", momentum=0.0)
    server = {name: tensor + 7.0 for name, tensor in rule.init(state(1.0)).items()}
    after, _ = rule.step(state(1.0), state(0.8), server)
    assert server and float(after["backbone.w"]) == pytest.approx(0.8)


def test_from_the_second_round_on_scaffold_goes_its_own_way(inputs: dict[str, str]) -> None:
    settings = federated(SETTINGS | {"federation": SHORT, "aggregator": {"name": "scaffold"}})
    federation, before = set_up(settings, inputs, device=CPU)
    server, _ = run_round(federation, before, 1)
    forgetful, _ = set_up(settings, inputs, device=CPU)
    own, _ = run_round(federation, server, 2)
    plain, _ = run_round(forgetful, replace(server, state=before.state), 2)
    conv = "backbone.conv1.weight"
    assert (own.model[conv] - plain.model[conv]).abs().max() > 1e-3


def test_scaffold_doubles_what_travels(inputs: dict[str, str], tmp_path: Path) -> None:
    sent, trained = {}, {}
    for name in ("fedavg", "scaffold", "fedavg-bb", "scaffold-bb"):
        settings = SETTINGS | {"federation": SHORT, "aggregator": {"name": name}}
        federation, server = set_up(federated(settings), inputs, device=CPU)
        after, rows = run_round(federation, server, 1)
        visits = len({row["client"] for row in rows})
        assert after.bytes_up == after.bytes_down and after.bytes_up % visits == 0
        sent[name] = after.bytes_up // visits
        parameters = federation.trainer.method.named_parameters()  # type: ignore[union-attr]
        trained[name] = 4 * sum(
            p.numel() for n, p in parameters if "-bb" not in name or n.startswith("backbone.")
        )
    for name in ("scaffold", "scaffold-bb"):
        assert sent[name] == sent[name.replace("scaffold", "fedavg")] + trained[name]
