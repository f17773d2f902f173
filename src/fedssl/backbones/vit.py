"""Vision transformer with 16x16 patches and the head of SSAST (fssuavl section 3.4).

paper: 8 heads, 18 layers and "about 15M" parameters, but no width; here: width 256 and MLP ratio
4, which gives 14.5M parameters. A variant with width 320 and ratio 2 has 15.1M.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import gelu, scaled_dot_product_attention

from fedssl.backbones.encoder import Encoder
from fedssl.errors import UserError
from fedssl.settings import Count, Width


@dataclass(frozen=True)
class Settings:
    """Settings of the ViT; by default it has 14,463,360 parameters."""

    patch: Annotated[int, Ge(1), Le(4096)] = 16
    """Width and height of a patch in pixels. Stated."""

    depth: Annotated[int, Ge(1), Le(1000)] = 18
    """Number of transformer layers. Stated."""

    heads: Width = 8
    """Number of attention heads per layer. Stated."""

    dim: Width = 256
    """Width of a token. Decided: it gives 14.5 million parameters, and the paper says 15 M."""

    mlp_ratio: Annotated[int, Ge(1), Le(64)] = 4
    """Hidden width of the MLPs, as a multiple of `dim`. Decided together with `dim`."""

    embedding_dim: Width = 128
    """Width of the head's output. Stated."""

    image_size: Count = 128
    """Width and height of the input in pixels. It sets the number of position embeddings."""

    derived: ClassVar[Mapping[str, str]] = {"image_size": "image.size"}
    square: ClassVar[bool] = True
    multiples: ClassVar[Mapping[str, str]] = {"image_size": "patch", "dim": "heads"}


class Block(nn.Module):
    """A pre-norm transformer block: self-attention and a two-layer MLP, each with a shortcut."""

    def __init__(self, dim: int, *, heads: int, mlp_ratio: int) -> None:
        """Create the layers; there is no dropout."""
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, mlp_ratio * dim)
        self.fc2 = nn.Linear(mlp_ratio * dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape, (batch, tokens, dim)."""
        tokens = tokens + self._attend(self.norm1(tokens))
        outputs: Tensor = tokens + self.fc2(gelu(self.fc1(self.norm2(tokens))))
        return outputs

    def _attend(self, tokens: Tensor) -> Tensor:
        # (batch, tokens, 3 * dim) -> three times (batch, heads, tokens, dim / heads)
        parts = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(*parts.unbind())
        mixed: Tensor = self.projection(attended.transpose(1, 2).flatten(2))
        return mixed


class ViT(nn.Module):
    """The transformer up to and including the mean over its patch tokens."""

    def __init__(self, settings: Settings) -> None:
        """Create the blocks, one CLS token and learned position embeddings."""
        super().__init__()
        dim, patch = settings.dim, settings.patch
        self.image_size = settings.image_size
        self.patches = nn.Conv2d(3, dim, patch, stride=patch)
        # The CLS token takes part in attention but is left out of the features: SSAST averages
        # the patch tokens. It is kept so that the model matches a standard ViT with 65 positions.
        self.cls = nn.Parameter(torch.empty(dim))
        self.positions = nn.Parameter(torch.empty(1 + (self.image_size // patch) ** 2, dim))
        self.blocks = nn.Sequential(
            *(
                Block(dim, heads=settings.heads, mlp_ratio=settings.mlp_ratio)
                for _ in range(settings.depth)
            )
        )
        self.norm = nn.LayerNorm(dim)
        nn.init.trunc_normal_(self.cls, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.apply(_initialise)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of the patch tokens without the CLS token, (batch, dim).

        Raises:
            UserError: the inputs do not have the size of the position embeddings.
        """
        if inputs.shape[-2:] != (self.image_size, self.image_size):
            raise UserError(
                f"this ViT takes {self.image_size} x {self.image_size} inputs and got "
                f"{tuple(inputs.shape[-2:])}; set image_size to the size of the views."
            )
        patches = self.patches(inputs).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(inputs), 1, -1), patches], dim=1) + self.positions
        with _repeatable_attention(inputs.device):
            tokens = self.norm(self.blocks(tokens))
        features: Tensor = tokens[:, 1:].mean(dim=1)
        return features


def build(settings: Settings) -> Encoder:
    """Return a ViT encoder whose head is a LayerNorm and a linear layer.

    With the paper's settings it has 14,463,360 parameters.

    Raises:
        UserError: `image_size` is not a multiple of `patch`, or `dim` is not a multiple of
            `heads`.
    """
    for name, divisor in Settings.multiples.items():
        _check_multiple(settings, name, divisor)
    dim = settings.dim
    backbone = ViT(settings)
    # paper: "an MLP head following SSAST"; here: LayerNorm and one linear layer, because that is
    # what SSAST's code calls `mlp_head`.
    head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, settings.embedding_dim))
    return Encoder(backbone, head.apply(_initialise), num_features=dim)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def _repeatable_attention(device: torch.device) -> AbstractContextManager[None]:
    """Return a context that allows only attention kernels with repeatable bits."""
    # On a GPU the backward pass of the fused kernels adds in a changing order.
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cuda" else nullcontext()


def _check_multiple(settings: Settings, name: str, divisor: str) -> None:
    value, unit = getattr(settings, name), getattr(settings, divisor)
    if value % unit:
        raise UserError(f"the ViT's {name} is {value}; it must be a multiple of {divisor}, {unit}.")
