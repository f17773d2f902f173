"""The ViT: parameter counts, torch's transformer as an oracle, and invalid settings."""

import pytest
import torch
from torch import nn

from fedssl import backbones
from fedssl.backbones.encoder import Encoder, initialise
from fedssl.errors import UserError

SMALL = {"image_size": 32, "patch": 8, "depth": 2, "heads": 4, "dim": 32, "embedding_dim": 16}


def small(seed: int = 0) -> Encoder:
    return initialise(seed, arch="vit", **SMALL)


def pictures(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("settings", "linear_head"),
    [
        ({}, 14_462_848),
        ({"dim": 320, "mlp_ratio": 2}, 15_117_888),
        ({"dim": 248}, 13_582_344),
        ({"dim": 288, "mlp_ratio": 3}, 15_270_176),
    ],
)
def test_number_of_parameters(settings: dict[str, int], linear_head: int) -> None:
    """The reference counts have a linear head; our LayerNorm adds a scale and a shift."""
    with torch.device("meta"):
        encoder = backbones.build("vit", **settings)
    dim, ratio = settings.get("dim", 256), settings.get("mlp_ratio", 4)
    block = 4 * dim**2 + 4 * dim + 2 * ratio * dim**2 + ratio * dim + dim + 4 * dim
    rest = 768 * dim + dim + 65 * dim + dim + 2 * dim
    assert 18 * block + rest + 128 * dim + 128 == linear_head
    assert sum(p.numel() for p in encoder.parameters()) == linear_head + 2 * dim
    assert sum(p.numel() for p in encoder.backbone.parameters()) == 18 * block + rest
    assert encoder.num_features == dim


def test_is_torchs_transformer_with_the_mean_of_the_patches() -> None:
    """Pre-norm, GELU, biases, and a CLS token that is in the attention but not pooled."""
    encoder = small()
    vit = encoder.backbone
    for parameter in vit.parameters():
        nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(1))
    patches = nn.functional.conv2d(pictures(), vit.patches.weight, vit.patches.bias, stride=8)
    tokens = patches.flatten(2).transpose(1, 2)
    tokens = torch.cat([vit.cls.expand(3, 1, 32), tokens], dim=1) + vit.positions
    for block in vit.blocks:
        layer = nn.TransformerEncoderLayer(
            32, 4, 128, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        renamed = {
            "self_attn.in_proj_": block.qkv,
            "self_attn.out_proj.": block.projection,
            "linear1.": block.fc1,
            "linear2.": block.fc2,
            "norm1.": block.norm1,
            "norm2.": block.norm2,
        }
        layer.load_state_dict(
            {f"{old}{k}": v for old, m in renamed.items() for k, v in m.state_dict().items()}
        )
        tokens = layer(tokens)
    features = nn.functional.layer_norm(tokens, (32,), vit.norm.weight, vit.norm.bias)
    torch.testing.assert_close(vit(pictures()), features[:, 1:].mean(dim=1), rtol=1e-4, atol=1e-5)


def test_first_weights_are_truncated_normal_and_come_from_the_seed() -> None:
    before = torch.random.get_rng_state()
    state, again, other = (small(seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in state.items():
        assert torch.equal(value, again[name])
        if "norm" in name or name.startswith("head.0."):
            assert (value == (1.0 if name.endswith("weight") else 0.0)).all(), name
        elif name.endswith("bias"):
            assert not value.any(), name
        else:
            assert not torch.equal(value, other[name]), name
            assert value.std() == pytest.approx(0.02, rel=0.35), name


def test_keys_have_prefixes_and_nothing_is_a_buffer() -> None:
    encoder = small()
    assert all(name.startswith(("backbone.", "head.")) for name in encoder.state_dict())
    assert not list(encoder.buffers())


def test_channels_last_and_each_sample_by_itself() -> None:
    encoder = small()
    expected = encoder(pictures())
    assert expected.shape == (3, 16)
    one_by_one = torch.cat([encoder(picture[None]) for picture in pictures()])
    torch.testing.assert_close(one_by_one, expected)
    last = encoder.to(memory_format=torch.channels_last)
    turned = pictures().to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(turned), expected)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


def test_every_parameter_gets_a_gradient() -> None:
    encoder = small()
    encoder(pictures()).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 100}, r"image_size is 100; it must be a multiple of patch, 16"),
        ({"dim": 100}, r"dim is 100; it must be a multiple of heads, 8"),
    ],
)
def test_impossible_sizes_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        backbones.build("vit", **settings)


def test_views_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match=r"takes 32 x 32 inputs and got \(32, 64\).*image_size"):
        small()(torch.zeros(1, 3, 32, 64))
