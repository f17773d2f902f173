"""Convert plain settings to the objects that jobs use, and inspect the types of declarations."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from fedssl.settings import Key

Declared = TypeVar("Declared")


class DeclaredField(NamedTuple):
    """A field of a declaration.

    Attributes:
        name: name of the attribute.
        key: key in plain settings; differs from the name if it has hyphens.
        kind: declared type, including the annotations.
        required: whether the field has no default.
        none_if_absent: whether the default is None.
    """

    name: str
    key: str
    kind: Any
    required: bool
    none_if_absent: bool


def typed(declared: type[Declared], plain: Mapping[str, Any]) -> Declared:
    """Return plain, validated settings as an object of the class that declares them.

    Keys that the class does not declare are ignored, because one dict holds all settings of a job.
    Lists become tuples. Numbers keep their type.

    Raises:
        KeyError: A required key is missing.
    """
    values = {
        field.name: _value(field.kind, plain[field.key])
        for field in declared_fields(declared)  # type: ignore[arg-type]
        if field.required or field.key in plain
    }
    return declared(**values)


@cache
def declared_fields(declared: Any) -> tuple[DeclaredField, ...]:
    """Return the fields of a declaration, those of its base classes first."""
    hints = get_type_hints(declared, include_extras=True)
    return tuple(
        DeclaredField(
            field.name,
            next((m.name for m in marks(hints[field.name]) if isinstance(m, Key)), field.name),
            hints[field.name],
            field.default is MISSING and field.default_factory is MISSING,
            field.default is None,
        )
        for field in fields(declared)
    )


def marks(kind: Any) -> tuple[Any, ...]:
    """Return the annotations of a type; an empty tuple if it has none."""
    return tuple(getattr(kind, "__metadata__", ()))


def bare(kind: Any) -> Any:
    """Return a type without its annotations."""
    return get_args(kind)[0] if marks(kind) else kind


def without_none(kind: Any) -> Any:
    """Return a type without the alternative None."""
    if get_origin(bare(kind)) not in (Union, UnionType):
        return kind
    others = reduce(or_, (item for item in get_args(bare(kind)) if item is not NoneType))
    return Annotated[(others, *marks(kind))] if marks(kind) else others


def _value(kind: Any, value: Any) -> Any:
    kind = without_none(bare(kind))
    if is_dataclass(kind) and isinstance(value, Mapping):
        return typed(kind, value)  # type: ignore[arg-type]
    if isinstance(value, list):
        item = (*get_args(kind), Any)[0]
        return tuple(_value(item, inner) for inner in value)
    return value
