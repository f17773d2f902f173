"""The slow copy of an encoder that BYOL and MoCo compare with."""

import copy
from typing import cast

import torch
from torch import Tensor, nn


class MomentumEncoder(nn.Module):
    """A backbone and a head that follow the trained ones, and are not trained themselves."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        """Start as a copy."""
        super().__init__()
        self.backbone = copy.deepcopy(backbone)
        self.head = copy.deepcopy(head)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """Embed a batch, in float32 and without a gradient."""
        embeddings = cast(Tensor, self.head(self.backbone(inputs)))
        return embeddings.float()

    @torch.no_grad()
    def follow(self, backbone: nn.Module, head: nn.Module, *, momentum: float) -> None:
        """Move every parameter: own <- momentum own + (1 - momentum) trained.

        Running statistics of batch norm are the copy's own: it sees the same batches.
        """
        for own, trained in ((self.backbone, backbone), (self.head, head)):
            for slow, fast in zip(own.parameters(), trained.parameters(), strict=True):
                slow.lerp_(fast, 1.0 - momentum)

    def restart(self, backbone: nn.Module, head: nn.Module) -> None:
        """Become a copy again, running statistics included."""
        self.backbone.load_state_dict(backbone.state_dict())
        self.head.load_state_dict(head.state_dict())
