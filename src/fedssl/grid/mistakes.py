"""What pydantic finds wrong with plain data, as sentences: key, value, and what would be right."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin

from pydantic import Tag, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

from fedssl.grid.configuration import Key, closest, key_text
from fedssl.grid.forms import MUST_BE
from fedssl.settings import Pattern


@dataclass(frozen=True)
class Mistake:
    """Something wrong at a key: `text` goes on after "<file>: <key>"."""

    key: Key
    text: str


def find_mistakes(form: Any, data: Any) -> list[Mistake]:
    """Return all that is wrong with plain data, sorted by key; nothing if it has the form."""
    try:
        # As JSON, where a list is right for what is declared as a tuple, and 1 is no `true`.
        _adapter(form).validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        missing = [found for found in details if found["type"] == "missing"]
        others = [found for found in details if found["type"] != "missing"]
        mistakes = [*_missing(missing, form), *(_mistake(found, form) for found in others)]
        return sorted(mistakes, key=lambda mistake: key_text(mistake.key))
    return []


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


def _missing(details: Iterable[Any], form: Any) -> list[Mistake]:
    names: dict[Key, list[str]] = {}
    for found in details:
        key, _ = _resolve(found["loc"], form)
        names.setdefault(key[:-1], []).append(str(key[-1]))
    return [Mistake(key, f"lacks {', '.join(sorted(lacking))}") for key, lacking in names.items()]


def _mistake(found: Mapping[str, Any], form: Any) -> Mistake:
    loc = found["loc"]
    if loc and loc[-1] == "[key]":
        key, kind = _resolve(loc[:-2], form)
        wanted = _wanted(found, get_args(_bare(kind))[0])
        return Mistake(key, f"has the key {loc[-2]!r}; a key must be {wanted}")
    if found["type"] == "extra_forbidden":
        key, kind = _resolve(loc[:-1], form)
        known = sorted(_bare(kind).__annotations__)
        hint = closest(str(loc[-1]), known) or f"; known are {', '.join(known)}"
        return Mistake((*key, loc[-1]), f"is no setting{hint}")
    key, kind = _resolve(loc, form)
    return Mistake(key, f"is {found['input']!r}; it must be {_wanted(found, kind)}")


def _resolve(loc: Iterable[str | int], kind: Any) -> tuple[Key, Any]:
    """Return the key of a place that pydantic names, and the type that is declared there.

    pydantic puts the tag of a chosen type between the keys.
    """
    key: list[str | int] = []
    for part in loc:
        own = _bare(kind)
        if choices := _tagged(own):
            kind = choices[str(part)]
            continue
        key.append(part)
        kind = _inner(own, part)
    return tuple(key), kind


def _inner(kind: Any, part: str | int) -> Any:
    """Return the type of a key, an item or a value."""
    if is_typeddict(kind):
        return kind.__annotations__.get(part, Any)
    items = get_args(kind)
    return items[-1] if items else Any


def _bare(kind: Any) -> Any:
    """Return a type without annotations, and without None where there is another one."""
    while get_origin(kind) in (Annotated, NotRequired):
        kind = get_args(kind)[0]
    others = [item for item in get_args(kind) if item is not NoneType]
    if get_origin(kind) in (Union, UnionType) and len(others) == 1:
        return _bare(others[0])
    return kind


def _tagged(kind: Any) -> dict[str, Any]:
    """Return the types that a union chooses from, by their tags; nothing for another type."""
    if get_origin(kind) not in (Union, UnionType):
        return {}
    return {
        mark.tag: item
        for item in get_args(kind)
        for mark in getattr(item, "__metadata__", ())
        if isinstance(mark, Tag)
    }


def _wanted(found: Mapping[str, Any], kind: Any) -> str:
    """Say what a value must be, by the error that it gives."""
    own, context = _bare(kind), found.get("ctx", {})
    if found["type"] in _WANTED:
        return _WANTED[found["type"]](context)
    if found["type"] == MUST_BE:
        return str(found["msg"])
    if found["type"] == "literal_error":
        return f"one of {', '.join(_word(choice) for choice in get_args(own))}"
    if found["type"] == "string_pattern_mismatch":
        return _pattern_says(kind)
    return f"of type {_type_name(own)}{' or null' if _takes_none(kind) else ''}"


_WANTED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda c: f"more than {c['gt']:g}",
    "greater_than_equal": lambda c: f"at least {c['ge']:g}",
    "less_than": lambda c: f"less than {c['lt']:g}",
    "less_than_equal": lambda c: f"at most {c['le']:g}",
    "multiple_of": lambda c: f"a multiple of {c['multiple_of']:g}",
    "too_short": lambda c: f"a list of at least {c['min_length']}",
    "too_long": lambda c: f"a list of at most {c['max_length']}",
    "string_too_short": lambda c: "text that is not empty",
    "finite_number": lambda c: "a finite number",
}
_NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", list: "array"}


def _type_name(kind: Any) -> str:
    return _NAMES.get(get_origin(kind) or kind, "object")


def _word(choice: Any) -> str:
    return str(json.dumps(choice)) if isinstance(choice, bool) else str(choice)


def _takes_none(kind: Any) -> bool:
    while get_origin(kind) in (Annotated, NotRequired):
        kind = get_args(kind)[0]
    return get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)


def _pattern_says(kind: Any) -> str:
    """Return what the pattern of a text type says, wherever its annotation is nested."""
    for mark in getattr(kind, "__metadata__", ()):
        if isinstance(mark, Pattern):
            return mark.says
    return next((text for item in get_args(kind) if (text := _pattern_says(item))), "")
