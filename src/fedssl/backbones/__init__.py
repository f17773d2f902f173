"""Encoders: a backbone that returns features, and a head that returns embeddings.

Each architecture has one module: `resnet` and `vit`. Start with `encoder.Encoder`, the class that
both return. May import only `errors` and `randomness` from this project.

The modules are imported by name when they are built, so that editing one architecture reruns only
the cells that use it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedssl.backbones.encoder import Encoder


def module_name(arch: str) -> str:
    """Return the name of the module that builds `arch`: resnet18 -> fedssl.backbones.resnet."""
    return f"fedssl.backbones.{arch.rstrip('0123456789')}"


def build(arch: str, **settings: Any) -> "Encoder":
    """Return an encoder with `.backbone` (features) and `.head` (128-d embedding).

    Without settings this is the paper's encoder (fssuavl section 3.4).
    """
    encoder: Encoder = import_module(module_name(arch)).build(**settings)
    return encoder
