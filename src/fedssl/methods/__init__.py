"""Self-supervised methods, one module each: `fedssl.methods.<name with underscores>`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedssl.backbones.encoder import Encoder
    from fedssl.methods.base import Method


def module_name(method: str) -> str:
    """Return the module of a method: barlow-twins -> fedssl.methods.barlow_twins."""
    return f"fedssl.methods.{method.replace('-', '_')}"


def build(method: str, encoder: "Encoder", **settings: Any) -> "Method":
    """Return the LightningModule that pretrains `encoder` by `method`."""
    built: Method = import_module(module_name(method)).build(encoder, **settings)
    return built
