"""Federated self-supervised learning: the package behind the workflow's rules.

`fedssl.load_encoder(path)` returns an exported encoder as a PyTorch module with its preprocessing.

Packages import in one direction: grid <- record <- (data, science) <- paper <- (audit, crate,
command). The science is views, backbones, methods, aggregators, federation and evaluation. The
modules at this level (`files`, `errors`, `settings`, `typed`, `randomness`, `progress`, `device`,
`ahead`) import only each other. `docs/architecture.md` follows one setting through all packages.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedssl.exported.load import load_encoder as load_encoder


def __getattr__(name: str) -> Any:
    """Return `load_encoder`, which is imported when it is first used, because it needs torch."""
    if name == "load_encoder":
        # Not spelled out: every job imports this module, and would depend on the module's code.
        return import_module(f"{__name__}.exported.load").load_encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
