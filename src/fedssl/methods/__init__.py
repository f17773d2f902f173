"""Self-supervised methods: the batch, the loss, and the tensors that a client sends.

Start with `base.py`: a method is a plain `nn.Module` over an encoder, with `views`,
`training_step` and `after_step`. The same module trains in a federated round and in the
centralised reference. To add a method, write one module here with one subclass of `Method` or of
`TwoViews`. Its name is the name in the configuration, with underscores for hyphens. `simclr.py` is
a short example; `byol.py` has state next to the encoder. This package may import
`fedssl.backbones` and `fedssl.views`.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssl.lookup import only_subclass

if TYPE_CHECKING:
    from fedssl.backbones.encoder import Encoder
    from fedssl.methods.base import Method

# The modules of this package that hold no method.
_SHARED = ("__init__", "base", "clusters", "layers", "momentum", "newest", "two_views")


def module_name(method: str) -> str:
    """Return the module of a method: barlow-twins -> fedssl.methods.barlow_twins."""
    return f"fedssl.methods.{method.replace('-', '_')}"


def method_class(method: str) -> "type[Method]":
    """Return the class of a method, which declares its settings; ImportError if there is none."""
    return only_subclass(module_name(method), import_module("fedssl.methods.base").Method)


def names() -> list[str]:
    """Return all methods, sorted."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem.replace("_", "-") for file in files if file.stem not in _SHARED)


def declared(method: str) -> type:
    """Return the class whose fields are a method's settings; ImportError if there is none."""
    return method_class(method).Settings


def build(method: str, encoder: "Encoder", **settings: Any) -> "Method":
    """Return the module that pretrains `encoder`; settings that are not given have defaults."""
    own = method_class(method)
    return own(encoder, own.Settings(**settings))
