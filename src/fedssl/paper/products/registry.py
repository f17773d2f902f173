"""The list of the kinds of tables and figures. A new kind is a module and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan
    from fedssl.paper.products.product import Product

# Each name is that of a module, of its rule and of its caption in workflow/report. The page shows
# products in this order.
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
    "curves_figure",
    "loss_figure",
    "shards_figure",
    "cost_figure",
    "timeline_figure",
)


def module_name(kind: str) -> str:
    """Return the name of a kind's module."""
    return f"fedssl.paper.products.{kind}"


@cache
def get_product(kind: str) -> Product:
    """Return the product of a kind."""
    # Import only this module. An import of all kinds at the top of this file would make every
    # kind part of the code of each rule, so that an edit of one would rerun all.
    product: Product = import_module(module_name(kind)).PRODUCT
    return product


def products(plan: Plan) -> dict[tuple[str, str], str]:
    """Return (kind, name) -> study of all tables and figures of a run."""
    return {
        (kind, name): study
        for kind in KINDS
        for name, study in get_product(kind).names(plan).items()
    }
