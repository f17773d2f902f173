"""Encoders against torchvision, losses against the oracles worked by hand and lightly."""

import math

import pytest
import torch
from lightly.loss import NTXentLoss
from torchvision.models import resnet18

from fedssl import backbones, methods
from fedssl.backbones.encoder import initialise
from fedssl.methods.simclr import nt_xent

PARTNERS = {
    "same": [[1.0, 0.0], [0.0, 1.0]],
    "near": [[0.6, 0.8], [0.8, -0.6]],
    "swapped": [[0.0, 1.0], [1.0, 0.0]],
}


def test_resnet18_has_the_papers_number_of_parameters() -> None:
    encoder = backbones.build("resnet18")
    assert sum(p.numel() for p in encoder.parameters()) == 11_242_176
    assert sum(p.numel() for p in encoder.backbone.parameters()) == 11_176_512


def test_resnet18_is_torchvisions() -> None:
    ours = backbones.build("resnet18", embedding_dim=1000).eval()
    theirs = resnet18().eval()
    state = {
        name.removeprefix("backbone.") if name.startswith("backbone.") else f"fc.{name[5:]}": value
        for name, value in ours.state_dict().items()
    }
    theirs.load_state_dict(state)
    inputs = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-4, atol=1e-4)


def test_every_state_key_belongs_to_the_backbone_or_the_head() -> None:
    encoder = initialise(0, arch="resnet18", width=8)
    method = methods.build("simclr", encoder, temperature=0.5)
    assert set(method.state_dict()) == set(encoder.state_dict())
    assert all(name.startswith(("backbone.", "head.")) for name in method.state_dict())
    assert encoder(torch.zeros(2, 3, 32, 32)).shape == (2, 128)


def test_round_0_is_a_function_of_the_seed_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first = initialise(3, arch="resnet18", width=8).state_dict()
    again = initialise(3, arch="resnet18", width=8).state_dict()
    other = initialise(4, arch="resnet18", width=8).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


@pytest.mark.parametrize(
    ("partners", "temperature", "loss"),
    [
        ("same", 0.5, math.log(1 + 2 * math.exp(-2))),
        ("near", 0.5, 2.030190),
        ("near", 0.07, 11.456504),
        ("swapped", 0.5, 2.239545),
        ("swapped", 0.07, 14.285716),
    ],
)
def test_nt_xent_by_hand(partners: str, temperature: float, loss: float) -> None:
    value = nt_xent(torch.eye(2), torch.tensor(PARTNERS[partners]), temperature)
    assert float(value) == pytest.approx(loss, abs=2e-6)


def test_nt_xent_is_lightlys_and_ignores_scale_and_order() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 17, 8, generator=generator).unbind()
    ours = nt_xent(first, second, 0.5)
    torch.testing.assert_close(ours, NTXentLoss(temperature=0.5)(first, second))
    order = torch.randperm(17, generator=generator)
    torch.testing.assert_close(nt_xent(3 * first[order], second[order], 0.5), ours)
    torch.testing.assert_close(nt_xent(second, first, 0.5), ours)


def test_a_batch_of_one_has_no_loss() -> None:
    one = torch.randn(1, 8, requires_grad=True)
    loss = nt_xent(one, torch.randn(1, 8), 0.5)
    loss.backward()
    assert float(loss.detach()) == 0.0 and one.grad is not None and not one.grad.any()
