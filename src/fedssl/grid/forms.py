"""From declared settings to what plain data must be: the types that pydantic validates.

A declaration is a frozen dataclass. Its form is a TypedDict with the same keys and ranges, in which
other keys are forbidden. An override has the same form with all keys optional.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin

from annotated_types import Len
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from fedssl.grid.facts import fact
from fedssl.grid.parts import (
    AXES,
    PartName,
    PartOverride,
    PartSections,
    declared_by,
    definition_name,
    part_names,
)
from fedssl.grid.transmission import parse_name
from fedssl.settings import Absent, Check, Choice, Key, Partial, Pattern, Unique
from fedssl.typed import DeclaredField, bare, declared_fields, marks, without_none

# The type of our own errors; their message completes "it must be ...".
MUST_BE = "must_be"
_CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Shape:
    """How a declaration becomes a form.

    Attributes:
        partial: every key may be missing.
        complete: a default counts for nothing: a key may only be missing if all may.
        documented: the form carries the docstrings, for the schema; slower.
    """

    partial: bool = False
    complete: bool = False
    documented: bool = False


@cache
def form(declared: type, shape: Shape = Shape(), *, name: str = "") -> Any:
    """Return the TypedDict that plain settings of a declaration must be."""
    derived = fact(declared, "derived")
    keys = {f.key: _key(f, shape) for f in declared_fields(declared) if f.name not in derived}
    if shape.documented:
        texts = descriptions(declared)
        keys = {
            field.key: _described(keys[field.key], texts.get(field.name))
            for field in declared_fields(declared)
            if field.key in keys
        }
    return _typed_dict(name or declared.__name__ + "Override" * shape.partial, keys)


def descriptions(declared: type) -> dict[str, str]:
    """Return the docstring below each field of a declaration and of its base classes."""
    found: dict[str, str] = {}
    for owner in reversed(declared.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                value = getattr(getattr(text, "value", None), "value", None)
                if isinstance(text, ast.Expr) and isinstance(value, str):
                    found[field.target.id] = " ".join(value.split())
    return found


def _typed_dict(name: str, keys: Mapping[str, Any]) -> Any:
    functional: Any = TypedDict
    made = functional(name, dict(keys))
    made.__pydantic_config__ = _CONFIG
    return made


def _described(kind: Any, text: str | None) -> Any:
    if get_origin(kind) is NotRequired:
        return NotRequired[_described(get_args(kind)[0], text)]
    return Annotated[kind, Field(description=text)] if text else kind


def _key(field: DeclaredField, shape: Shape) -> Any:
    """Return the type of a key. Where a missing key means None, a given null is a mistake."""
    may_miss = shape.partial or not (field.required or shape.complete)
    kind = field.kind if field.required or shape.complete else _given(field)
    plain = _plain(kind, shape)
    return NotRequired[plain] if may_miss else plain


def _given(field: DeclaredField) -> Any:
    return without_none(field.kind) if field.none_if_absent else field.kind


def _plain(kind: Any, shape: Shape) -> Any:
    """Return what plain data of a declared type must be."""
    added = marks(kind)
    special = next((m for m in added if type(m) in _SPECIAL), None)
    if special is not None:
        others = tuple(mark for mark in added if mark is not special)
        inner = Annotated[(bare(kind), *others)] if others else bare(kind)
        return _SPECIAL[type(special)](special, inner, shape)
    if added:
        # A pattern stays next to pydantic's own: messages quote it.
        patterns = [StringConstraints(pattern=m.regex) for m in added if isinstance(m, Pattern)]
        rest = [*patterns, *(mark for mark in added if not isinstance(mark, Key))]
        inner = _plain(bare(kind), shape)
        return Annotated[(inner, *rest)] if rest else inner
    if isinstance(kind, type) and is_dataclass(kind):
        return form(kind, shape)
    origin, items = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _list(items, shape)
    if origin in (Union, UnionType):
        return reduce(or_, (_plain(item, shape) for item in items))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[_plain(items[0], shape), _plain(items[1], shape)]  # type: ignore[misc]
    return kind


def _list(items: tuple[Any, ...], shape: Shape) -> Any:
    item: Any = _plain(items[0], shape)
    if items[-1] is Ellipsis:
        return list[item]
    return Annotated[list[item], Len(len(items), len(items))]


def _unique(_: Unique, kind: Any, shape: Shape) -> Any:
    def check(values: list[Any]) -> list[Any]:
        if any(value in values[:place] for place, value in enumerate(values)):
            raise PydanticCustomError(MUST_BE, "a list without repetitions")
        return values

    extra = Field(json_schema_extra={"uniqueItems": True})
    return Annotated[_plain(kind, shape), AfterValidator(check), extra]


def _check(mark: Check, kind: Any, shape: Shape) -> Any:
    def check(value: Any) -> Any:
        if not mark.holds(value):
            raise PydanticCustomError(MUST_BE, mark.says)
        return value

    return Annotated[_plain(kind, shape), AfterValidator(check)]


def _absent(mark: Absent, _: Any, __: Shape) -> Any:
    def refuse(_: Any) -> Any:
        raise PydanticCustomError(MUST_BE, f"absent: {mark.says}")

    return Annotated[Any, BeforeValidator(refuse), WithJsonSchema({"not": {}})]


def _choice(mark: Choice, kind: Any, shape: Shape) -> Any:
    tagged = (
        Annotated[_plain(item, shape), Tag(str(place))] for place, item in enumerate(get_args(kind))
    )
    return Annotated[reduce(or_, tagged), Discriminator(lambda data: str(mark.of(data)))]


def _override(_: Partial, kind: Any, shape: Shape) -> Any:
    return _plain(kind, Shape(partial=True, documented=shape.documented))


def _part_name(mark: PartName, _: Any, __: Shape) -> Any:
    return Literal[tuple(part_names(mark.axis))]


def _part_sections(mark: PartSections, __: Any, shape: Shape) -> Any:
    whole = Shape(complete=True, documented=shape.documented)
    part = Shape(partial=True, complete=True, documented=shape.documented)
    keys = {}
    for name in part_names(mark.axis):
        rule, _ = parse_name(name)
        # A `-bb` name has the settings of its rule, and may give others.
        own = form(
            declared_by(mark.axis, name, imported=shape.documented),
            whole if name == rule else part,
            name=definition_name(mark.axis, name),
        )
        keys[name] = NotRequired[own]
    return _typed_dict(AXES[mark.axis].section, keys)


def _part_override(mark: PartOverride, _: Any, shape: Shape) -> Any:
    """Return the settings of all parts of an axis together.

    Where two parts declare one key differently, anything goes here: each cell is checked against
    the declaration of its own part.
    """
    kinds: dict[str, Any] = {}
    sections = _part_sections(PartSections(mark.axis), _, shape)
    for section in sections.__annotations__.values():
        for key, kind in get_args(section)[0].__annotations__.items():
            if get_origin(kind) is NotRequired:
                continue  # of a `-bb` name, as in its rule
            kinds[key] = kind if kinds.get(key, kind) == kind else Any
    keys = {key: NotRequired[kind] for key, kind in kinds.items()}
    return _typed_dict(f"{AXES[mark.axis].key}_override", keys)


_SPECIAL: dict[type, Any] = {
    PartName: _part_name,
    PartSections: _part_sections,
    PartOverride: _part_override,
    Partial: _override,
    Choice: _choice,
    Absent: _absent,
    Unique: _unique,
    Check: _check,
}
