"""Turn declared settings into the types that pydantic validates plain data as.

A declaration is a frozen dataclass. Its form is a TypedDict with the same keys and constraints, so
that validated settings remain plain data, which Snakemake can compare and records can store.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from functools import cache, partial, reduce
from itertools import pairwise
from operator import or_
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin

from annotated_types import Len
from typing_extensions import TypedDict

from fedssl.grid.facts import fact
from fedssl.grid.parts import AXES, declared_by, part_names, source_tree
from fedssl.grid.transmission import parse_name
from fedssl.settings import Partial
from fedssl.typed import DeclaredField, bare, declared_fields, marks, without_none


@cache
def form(
    declared: type, required: Literal["declared", "all", "none"] = "declared", *, name: str = ""
) -> Any:
    """Return the TypedDict of a declaration, in which all other keys are forbidden.

    Args:
        declared: frozen dataclass.
        required: keys that must be given. With "declared", these are the fields without a default;
            null is then an error where a missing key means None, so that there is one spelling.
        name: name of the TypedDict, if it differs from the declaration's.
    """
    keys = {field.key: _key(field, required) for field in _plain_fields(declared)}
    name = name or declared.__name__ + "Override" * (required == "none")
    return _typed_dict(name, keys, partial(_describe, [declared]))


def part_sections(axis: str) -> Any:
    """Return the TypedDict of a section such as `methods`: the settings of each part, by name."""
    keys = {}
    for name in part_names(axis):
        # A `-bb` name has the settings of its rule and gives only those that differ.
        required: Any = "all" if parse_name(name)[0] == name else "none"
        own = form(declared_by(axis, name), required, name=f"{axis}_{name}")
        keys[name] = NotRequired[own]
    return _typed_dict(AXES[axis].section, keys)


def part_override(axis: str) -> Any:
    """Return the TypedDict of an override such as `method`: the settings of all parts together.

    If two parts declare one key differently, the override accepts any value. Each cell is later
    checked against the declaration of its own part.
    """
    kinds: dict[str, Any] = {}
    declarations = [declared_by(axis, name) for name in part_names(axis)]
    for declared in declarations:
        for field in _plain_fields(declared):
            kind = kinds.setdefault(field.key, field.kind)
            kinds[field.key] = kind if kind == field.kind else Any
    keys = {key: NotRequired[_plain(kind, "none")] for key, kind in kinds.items()}
    describe = partial(_describe, declarations)
    return _typed_dict(f"{AXES[axis].key}_override", keys, describe)


def _plain_fields(declared: type) -> list[DeclaredField]:
    derived = fact(declared, "derived")
    return [field for field in declared_fields(declared) if field.name not in derived]


def _key(field: DeclaredField, required: Any) -> Any:
    if required == "all" or (required == "declared" and field.required):
        return _plain(field.kind, required)
    refuses_none = required == "declared" and field.none_if_absent
    kind = without_none(field.kind) if refuses_none else field.kind
    return NotRequired[_plain(kind, required)]


def _plain(kind: Any, required: Any) -> Any:
    """Return the type of the plain data behind a declared type."""
    if added := marks(kind):
        if any(isinstance(mark, Partial) for mark in added):
            required = "none"
        return Annotated[(_plain(bare(kind), required), *added)]
    if isinstance(kind, type) and is_dataclass(kind):
        return form(kind, required)
    origin, items = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return reduce(or_, (_plain(item, required) for item in items))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[_plain(items[0], required), _plain(items[1], required)]  # type: ignore[misc]
    if origin is tuple:
        # A list of fixed length, because pydantic reports a short tuple as missing keys.
        count = None if items[-1] is Ellipsis else len(items)
        return Annotated[list[_plain(items[0], required)], Len(count or 0, count)]  # type: ignore[misc]
    return kind


def _typed_dict(name: str, keys: Mapping[str, Any], describe: Any = None) -> Any:
    functional: Any = TypedDict  # mypy accepts only literal names and keys
    made = functional(name, dict(keys))
    made.__pydantic_config__ = {
        "extra": "forbid",
        # Without strict mode, pydantic accepts "1" for 1 and 1 for true.
        "strict": True,
        "allow_inf_nan": False,
        "json_schema_extra": describe,
    }
    return made


def _describe(declarations: Iterable[type], schema: dict[str, Any]) -> None:
    """Add the docstring of each field to a JSON schema; if declarations differ, add all."""
    found = [_docstrings(declared) for declared in declarations]
    for key, property_schema in schema["properties"].items():
        texts = dict.fromkeys(docstrings[key] for docstrings in found if key in docstrings)
        if texts:
            property_schema["description"] = " / ".join(texts)


@cache
def _documented(module: str) -> dict[str, dict[str, str]]:
    """Return class -> field -> the docstring below it, of all classes of a module."""
    classes = (n for n in ast.walk(source_tree(module)) if isinstance(n, ast.ClassDef))
    return {
        node.name: {
            ast.unparse(field.target): " ".join(ast.literal_eval(text.value).split())
            for field, text in pairwise(node.body)
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
        }
        for node in classes
    }


def _docstrings(declared: type) -> dict[str, str]:
    """Return the docstring below each field of a declaration, by the field's key."""
    found: dict[str, str] = {}
    for owner in reversed(declared.__mro__[:-1]):
        found |= _documented(owner.__module__)[owner.__name__]
    return {f.key: found[f.name] for f in declared_fields(declared) if f.name in found}
