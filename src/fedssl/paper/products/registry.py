"""The kinds of tables and figures. A new kind is a module of this package and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan
    from fedssl.paper.products.product import Product

# A kind is the name of its module, of its rule and of its caption.
KINDS = (
    "table",
    "datasets",
    "gains",
    "contrasts",
    "communication",
    "silhouettes",
    "map_figure",
    "sweep_figure",
    "rounds_figure",
    "loss_figure",
)


def module_name(kind: str) -> str:
    """Return the module of a kind."""
    return f"fedssl.paper.products.{kind}"


@cache
def get_product(kind: str) -> Product:
    """Return the product of a kind; only its module is imported."""
    product: Product = import_module(module_name(kind)).PRODUCT
    return product


def products(plan: Plan) -> dict[tuple[str, str], str]:
    """Return (kind, name) -> study of all tables and figures of a run."""
    return {
        (kind, name): study
        for kind in KINDS
        for name, study in get_product(kind).names(plan).items()
    }
