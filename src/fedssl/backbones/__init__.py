"""Encoders: a backbone (features) and a head (embeddings), one module per architecture."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedssl.backbones.encoder import Encoder


def module_name(arch: str) -> str:
    """Return the module that builds `arch`: resnet18 -> fedssl.backbones.resnet."""
    return f"fedssl.backbones.{arch.rstrip('0123456789')}"


def build(arch: str, **settings: Any) -> "Encoder":
    """Return an encoder with `.backbone` (features) and `.head` (128-d embedding).

    With no settings it is the paper's encoder (fssuavl section 3.4).
    """
    encoder: Encoder = import_module(module_name(arch)).build(**settings)
    return encoder
