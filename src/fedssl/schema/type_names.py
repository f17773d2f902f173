"""Declared types in words, for the settings reference: `integer, at least 1`."""

from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf

from fedssl.grid.parts import PartName, PartOverride
from fedssl.typed import bare, marks

_WORDS = {int: "integer", float: "number", str: "text", bool: "true or false"}
_LIMITS: dict[type, Callable[[Any], str]] = {
    Ge: lambda mark: f"from {mark.ge:g}",
    Gt: lambda mark: f"above {mark.gt:g}",
    Le: lambda mark: f"up to {mark.le:g}",
    Lt: lambda mark: f"below {mark.lt:g}",
    MultipleOf: lambda mark: f"a multiple of {mark.multiple_of}",
}


def type_name(kind: Any) -> str:
    """Return what a setting takes, in words."""
    limits = [_LIMITS[type(mark)](mark) for mark in marks(kind) if type(mark) in _LIMITS]
    return ", ".join([_base(bare(kind), marks(kind)), *limits])


def _base(kind: Any, added: tuple[Any, ...]) -> str:
    origin, items = get_origin(kind), get_args(kind)
    if any(isinstance(mark, PartName | PartOverride) for mark in added):
        return "name" if kind is str else "settings"
    if origin is Literal:
        return ", ".join(f"`{_word(item)}`" for item in items)
    if origin is tuple:
        count = "" if items[-1] is Ellipsis else f"{len(items)} "
        return f"list of {count}{type_name(items[0])}"
    if origin in (Union, UnionType):
        return " or ".join("null" if item is NoneType else type_name(item) for item in items)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping to {type_name(items[1])}"
    return _WORDS.get(kind, "settings")


def _word(item: Any) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)
