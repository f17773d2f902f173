"""Check that tables and figures name studies, tasks and variants that exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fedssl.errors import UserError
from fedssl.grid.configuration import Key, closest, origin
from fedssl.grid.origins import sentence

if TYPE_CHECKING:
    from fedssl.grid.plan import Plan

_SECTIONS = ("tables", "contrasts", "maps", "sweeps")


def check_references(plan: Plan) -> None:
    """Raise UserError for a table or figure that names a study, task or variant of none."""
    for section in _SECTIONS:
        for name, product in plan.config[section].items():
            key = (section, name)
            _check(plan, (*key, "study"), product["study"], plan.config["studies"], "study")
            for place, variant in _variants(product, key):
                known = plan.config["studies"][product["study"]]["variants"]
                _check(plan, place, variant, known, f"variant of {product['study']}")
    shipped = {layer.name for layer in plan.layers[: plan.shipped]}
    for name, table in plan.config["tables"].items():
        _check_unique(plan, name, table)
        # The shipped tables also name tasks that a smaller configuration leaves out.
        if origin(("tables", name, "columns"), plan.layers) not in shipped:
            _check_tasks(plan, name, table)


def _check_tasks(plan: Plan, name: str, table: Mapping[str, Any]) -> None:
    known = [*plan.grid.task_names(), *plan.grid.pair_names()]
    for place, column in enumerate(table["columns"]):
        for number, task in enumerate(column["tasks"]):
            key = ("tables", name, "columns", place, "tasks", number)
            _check(plan, key, task, known, "task, pair or dataset")


def _check_unique(plan: Plan, name: str, table: Mapping[str, Any]) -> None:
    """Raise UserError if two rows, or two columns of a protocol and input, have one name."""
    columns = [(c["column"], c.get("protocol"), c.get("input")) for c in table["columns"]]
    for part, names in (("rows", [row["row"] for row in table["rows"]]), ("columns", columns)):
        for place, own in enumerate(names):
            if own in names[:place]:
                key = ("tables", name, part, place)
                shown = own if part == "rows" else own[0]
                raise UserError(
                    sentence(key, f"is {shown!r} a second time; give it another name", plan.layers)
                )


def _check(plan: Plan, key: Key, name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        text = f"names {name!r}, which is no {what}{closest(name, known)}; there are"
        raise UserError(sentence(key, f"{text} {', '.join(sorted(known))}", plan.layers))


def _variants(product: Mapping[str, Any], key: Key) -> Iterator[tuple[Key, str]]:
    """Yield the key and the name of each variant that rows, or sides of a contrast, name."""
    for place, row in enumerate(product.get("rows", ())):
        here = (*key, "rows", place)
        sides = {(*here, side): row[side] for side in ("before", "after") if side in row}
        for side, axes in {here: row, **sides}.items():
            if "variant" in axes:
                yield (*side, "variant"), axes["variant"]
