"""Pooled features, and batch norm's statistics taken anew from a task."""

from pathlib import Path

import pytest
import torch
from torch import nn

from fedssl.backbones.encoder import initialise
from fedssl.data.banks.bank import open_bank
from fedssl.evaluation.features import extract_features, memory_and_queries, recalibrate_batch_norm
from fedssl.typed import typed
from fedssl.views.bank_views import Views
from fedssl.views.settings import ViewSettings
from tests.unit import banks
from tests.unit.federations import SETTINGS as CELL

CPU = torch.device("cpu")
SETTINGS = typed(ViewSettings, {**CELL, "image": {"size": 32, "mean": [0.5] * 3, "std": [0.2] * 3}})


def pictures(folder: Path, *, count: int) -> Views:
    banks.write(banks.images(count, size=8), folder, dataset="toy")
    return Views(open_bank(folder), SETTINGS, statistics=None, device=CPU)


def resnet() -> nn.Module:
    return initialise(0, arch="resnet18", width=8, embedding_dim=16).backbone


def test_recalibrated_batch_norm_has_the_statistics_of_the_samples(tmp_path) -> None:
    views, backbone = pictures(tmp_path, count=60), resnet()
    train = views.bank.indices("train")
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    inputs: list[torch.Tensor] = []
    hook = norms[0].register_forward_hook(lambda _, given, __: inputs.append(given[0]))
    recalibrate_batch_norm(backbone, views, train, device=CPU)
    hook.remove()
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
    torch.testing.assert_close(norms[0].running_mean, mean)
    torch.testing.assert_close(norms[0].running_var, variance)
    assert [norm.momentum for norm in norms] == momenta


def test_a_last_batch_of_one_sample_is_left_out(tmp_path) -> None:
    views, backbone = pictures(tmp_path, count=257), resnet()
    recalibrate_batch_norm(backbone, views, views.bank.indices("train")[:1], device=CPU)
    every = torch.arange(257).numpy()
    recalibrate_batch_norm(backbone, views, every, device=CPU)
    alike = resnet()
    recalibrate_batch_norm(alike, views, every[:256], device=CPU)
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, alike.state_dict()[name]), name


@pytest.mark.parametrize("recalibrate", [False, True])
def test_statistics_come_from_the_training_samples_only_where_asked_for(
    recalibrate, tmp_path
) -> None:
    views, backbone = pictures(tmp_path, count=60), resnet()
    train, scored = (views.bank.indices(split) for split in ("train", "test"))
    found = memory_and_queries(backbone, views, train, scored, recalibrate=recalibrate, device=CPU)
    expected = resnet()
    if recalibrate:
        recalibrate_batch_norm(expected, views, train, device=CPU)
    for features, positions in zip(found, (train, scored), strict=True):
        assert torch.equal(features, extract_features(expected, views, positions, device=CPU))


def test_an_encoder_without_batch_norm_stays_as_it_is(tmp_path) -> None:
    views = pictures(tmp_path, count=12)
    vit = initialise(
        0, arch="vit", patch=16, depth=2, heads=2, dim=16, mlp_ratio=2, embedding_dim=8,
        image_size=32,
    ).backbone  # fmt: skip
    before = {name: tensor.clone() for name, tensor in vit.state_dict().items()}
    recalibrate_batch_norm(vit, views, views.bank.indices("train"), device=CPU)
    assert all(torch.equal(tensor, before[name]) for name, tensor in vit.state_dict().items())
