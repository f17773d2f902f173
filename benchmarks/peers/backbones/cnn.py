"""A convolutional network of two layers: a client so small that only the framework counts."""

from dataclasses import dataclass

from torch import nn

from fedssl.backbones.encoder import Encoder


@dataclass(frozen=True)
class Settings:
    """Settings of the network."""

    embedding_dim: int = 128


def build(settings: Settings) -> Encoder:
    """Return the network with a linear head."""
    backbone = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Encoder(backbone, nn.Linear(32, settings.embedding_dim), num_features=32)
