"""Encoders against torchvision, losses against the oracles worked by hand and lightly."""

import math
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml
from lightly.loss import NTXentLoss
from torchvision.models import resnet18

from fedssl import backbones, methods
from fedssl.backbones.encoder import Encoder, initialise
from fedssl.methods.simclr import nt_xent, nt_xent_viewmaker

ROOT = Path(__file__).parents[2]
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


def test_resnet18_with_the_small_stem_has_four_times_as_wide_maps() -> None:
    """3x3 instead of 7x7 weights; 32 px give the final map of 128 px with the large stem."""
    small, large = backbones.build("resnet18", stem="3x3"), backbones.build("resnet18")
    count = [sum(p.numel() for p in encoder.parameters()) for encoder in (large, small)]
    assert count[0] - count[1] == 64 * 3 * (49 - 9)
    shapes: list[torch.Size] = []
    for encoder in (small, large):
        last = encoder.backbone.layer4
        last.register_forward_hook(lambda _layer, _given, made: shapes.append(made.shape))
    small(torch.zeros(2, 3, 32, 32))
    large(torch.zeros(2, 3, 128, 128))
    assert shapes == [(2, 512, 4, 4)] * 2


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
    value = nt_xent(torch.eye(2).double(), torch.tensor(PARTNERS[partners]).double(), temperature)
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


@pytest.mark.parametrize(
    ("partners", "temperature", "loss"),
    [
        ("same", 0.5, math.log(2 + 2 * math.exp(-2))),
        ("same", 0.07, 0.693148),
        ("near", 0.5, 2.713195),
        ("near", 0.07, 14.343116),
        ("swapped", 0.5, 2.820075),
        ("swapped", 0.07, 14.978862),
    ],
)
def test_the_authors_contrastive_loss_by_hand(
    partners: str, temperature: float, loss: float
) -> None:
    value = nt_xent_viewmaker(
        torch.eye(2).double(), torch.tensor(PARTNERS[partners]).double(), temperature
    )
    assert float(value) == pytest.approx(loss, abs=2e-6)


def test_the_authors_contrastive_loss_has_a_floor_and_two_unlike_sides() -> None:
    first, second = torch.randn(2, 17, 8, generator=torch.Generator().manual_seed(0)).unbind()
    loss = nt_xent_viewmaker(first, second, 0.5)
    torch.testing.assert_close(nt_xent_viewmaker(3 * first, second / 2, 0.5), loss)
    assert (nt_xent_viewmaker(second, first, 0.5) - loss).abs() > 1e-3
    first = first.double()
    above = [float(nt_xent_viewmaker(first, first, t)) - math.log(2) for t in (1.0, 0.5, 0.01)]
    assert above[0] > above[1] > 0.1 and above[2] == pytest.approx(0, abs=1e-5)
    assert float(nt_xent(first, first, 0.01)) == pytest.approx(0, abs=1e-5)


def test_simclr_trains_with_the_loss_it_is_told() -> None:
    first, second = torch.randn(2, 6, 128, generator=torch.Generator().manual_seed(0)).unbind()
    for name, function in {"ntxent": nt_xent, "ntxent-viewmaker": nt_xent_viewmaker}.items():
        encoder = initialise(0, arch="resnet18", width=8)
        method = methods.build("simclr", encoder, temperature=0.2, loss=name)
        assert method.objective(first, second) == function(first, second, 0.2)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("simclr", {"temperature": 0.5, "loss": "ntxent"}),
        ("simclr", {"temperature": 0.5, "loss": "ntxent-viewmaker"}),
        ("barlow-twins", {"off_diagonal_weight": 0.005, "std": "biased"}),
    ],
)
def test_a_loss_is_computed_in_float32_under_autocast(
    name: str, settings: dict[str, object]
) -> None:
    encoder = Encoder(torch.nn.Identity(), torch.nn.Identity(), num_features=8)
    method = methods.build(name, encoder, **settings)
    views = torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(0))
    expected = method.training_step(views)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(method.training_step(views), expected)


@pytest.mark.parametrize("name", ["simclr", "barlow-twins", "byol"])
def test_separate_views_have_batch_norm_statistics_of_their_own(name: str) -> None:
    views = torch.randn(2, 6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    views[1] = 3 * views[1] + 1  # other statistics than the first view's
    joint, separate = (
        methods.build(name, initialise(0, arch="resnet18", width=8), view_batches=how)
        for how in ("joint", "separate")
    )
    together = joint.each_view(joint, views)
    alone = separate.each_view(separate, views)
    expected = initialise(0, arch="resnet18", width=8)
    for view, embeddings in zip(views, alone, strict=True):
        torch.testing.assert_close(embeddings, expected.head(expected.backbone(view)))
    assert (together[0] - alone[0]).abs().max() > 1e-3
    steps = [method.backbone.bn1.num_batches_tracked for method in (joint, separate)]
    assert [int(count) for count in steps] == [1, 2]


def test_the_views_of_an_encoder_without_batch_norm_may_go_together_or_not() -> None:
    encoder = {"arch": "vit", "image_size": 32, "patch": 8, "depth": 2, "heads": 4, "dim": 32}
    views = torch.randn(2, 6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    losses = [
        methods.build("simclr", initialise(0, **encoder), view_batches=how).training_step(views)
        for how in ("joint", "separate")
    ]
    torch.testing.assert_close(*losses)


def test_the_shipped_settings_of_methods_are_the_declared_ones() -> None:
    shipped = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["methods"]
    modules = {path.stem for path in (ROOT / "src/fedssl/methods").glob("*.py")}
    shared = {"__init__", "base", "clusters", "layers", "momentum", "newest", "two_views"}
    assert {name.replace("-", "_") for name in shipped} == modules - shared
    declared = {name: asdict(methods.method_class(name).Settings()) for name in shipped}
    assert declared == shipped


def test_a_federated_job_does_not_import_lightning() -> None:
    program = (
        "import sys; import fedssl.federation.rounds, fedssl.methods.moco; print(*sys.modules)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert "torch" in loaded and not {"pytorch_lightning", "lightning_fabric"} & set(loaded)
