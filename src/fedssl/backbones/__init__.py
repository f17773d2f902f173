"""Encoders: a backbone that returns features, and a head that returns embeddings.

Start with `encoder.Encoder`, the class that every architecture returns. To add one, write one
module here, named as in the configuration with underscores for hyphens, with a frozen dataclass
`Settings` and `build(settings)`; `resnet18.py` is a short model. This package may import only
`errors`, `randomness` and `settings` of the project.

Modules are imported by name when they are built, so that editing one architecture reruns only the
cells that use it.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedssl.backbones.encoder import Encoder

# The modules of this package that hold no architecture.
_SHARED = ("__init__", "encoder")


def module_name(arch: str) -> str:
    """Return the module of `arch`: resnet18 -> fedssl.backbones.resnet18."""
    return f"fedssl.backbones.{arch.replace('-', '_')}"


def names() -> list[str]:
    """Return all architectures, sorted."""
    files = Path(__file__).parent.glob("*.py")
    return sorted(file.stem.replace("_", "-") for file in files if file.stem not in _SHARED)


def declared(arch: str) -> type:
    """Return the class whose fields are an architecture's settings."""
    settings: type = import_module(module_name(arch)).Settings
    return settings


def build(arch: str, **settings: Any) -> "Encoder":
    """Return an encoder with `.backbone` (features) and `.head` (128-d embedding).

    Without settings this is the paper's encoder (fssuavl section 3.4).
    """
    encoder: Encoder = import_module(module_name(arch)).build(declared(arch)(**settings))
    return encoder
