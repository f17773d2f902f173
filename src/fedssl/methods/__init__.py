"""Self-supervised methods: what a batch is, what its loss is, and what a client sends of it.

Start with `base.py`: a method is a plain `nn.Module` over an encoder, with `views`,
`training_step` and `after_step`. The same module trains in a federated round and in the
centralised reference. To add a method, write one module here, named as in the configuration with
underscores for hyphens, with one subclass of `Method`; `simclr.py` is a short model, `byol.py` has
state next to the encoder. This package may import `fedssl.backbones` and `fedssl.views`.
"""

from collections.abc import Collection
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fedssl.errors import UserError
from fedssl.lookup import only_subclass

if TYPE_CHECKING:
    from fedssl.backbones.encoder import Encoder
    from fedssl.methods.base import Method


def module_name(method: str) -> str:
    """Return the module of a method: barlow-twins -> fedssl.methods.barlow_twins."""
    return f"fedssl.methods.{method.replace('-', '_')}"


def method_class(method: str) -> "type[Method]":
    """Return the class of a method, which declares its settings; ImportError if there is none."""
    return only_subclass(module_name(method), import_module("fedssl.methods.base").Method)


def build(method: str, encoder: "Encoder", **settings: Any) -> "Method":
    """Return the module that pretrains `encoder`; settings that are not given have defaults."""
    own = method_class(method)
    return own(encoder, own.Settings(**settings))


def check_fits(
    method: str,
    declared: "type[Method.Settings]",
    *,
    modalities: Collection[str],
    batch_size: int,
) -> None:
    """Raise UserError where a cell asks of a method what its declarations rule out."""
    if foreign := sorted(set(modalities) - set(declared.modalities)):
        raise UserError(
            f"method {method} trains on {' and '.join(declared.modalities)}, but the cell's split "
            f"gives clients {' and '.join(foreign)}; choose a split without it."
        )
    if batch_size < declared.min_batch:
        raise UserError(
            f"federation.batch_size is {batch_size}; method {method} needs at least "
            f"{declared.min_batch}."
        )
