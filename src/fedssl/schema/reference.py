"""The settings reference: the tables of docs/reference/settings, made from the JSON schema.

A table is between `<!-- settings: <section> -->` and `<!-- end -->`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from fedssl.grid.configuration import SHIPPED, merged, read_layers
from fedssl.grid.forms import form
from fedssl.grid.mistakes import resolved, values_of
from fedssl.grid.parts import AXES, part_names
from fedssl.grid.transmission import parse_name
from fedssl.schema.config import Config

_ROOT = Path(__file__).parents[3]
CONFIG = _ROOT / "config"
PAGES = _ROOT / "docs" / "reference" / "settings"
_REGION = re.compile(r"(<!-- settings: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NO_DEFAULT = object()  # None is a default that settings can have
_PARTS = {part.section: axis for axis, part in AXES.items()}
# Sections that have a table of their own, or one for each key. "own" is the second kind of entry in
# `datasets`.
_ONCE = ("scale", "settings", "evaluation")
_BY_NAME = ("studies", "tables", "contrasts", "maps", "sweeps", "datasets", "own")
_TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false"}
_LIMITS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "up to",
    "exclusiveMaximum": "below",
    "multipleOf": "a multiple of",
}
Schema = Mapping[str, Any]


class Row(NamedTuple):
    """A setting: its key, its type in words, its value as shipped, and its meaning."""

    key: str
    kind: str
    default: str
    meaning: str


def with_reference(page: str) -> str:
    """Return the text of a page with its tables made from the declarations."""
    return _REGION.sub(lambda found: found[1] + _table(found[2]) + found[3], page)


def section_names() -> list[str]:
    """Return the sections that need a table."""
    once = [key for name in _ONCE for key in _keys_of(name)]
    return ["run", *_PARTS, *once, *_BY_NAME]


def _keys_of(section: str) -> list[str]:
    """Return the sections of a table for each key, or the section itself if it needs one table."""
    if section != "settings":
        return [section]
    # One table of all settings of a cell would be longer than a page should be.
    declared = _resolved(_schema()["properties"][section])["properties"]
    return [f"{section}.{key}" for key in declared]


def section_rows(section: str) -> list[Row]:
    """Return the settings of a section."""
    top = _schema()["properties"]
    if "." in section:
        whole = section.split(".")[0]
        return [r for r in section_rows(whole) if f"{r.key}.".startswith(f"{section}.")]
    if section in _ONCE:
        return list(_rows(top[section], section, _shipped()[section]))
    if section in _BY_NAME:
        entry = values_of(top["datasets" if section == "own" else section])
        kinds = entry.get("oneOf", [entry])
        return list(_rows(kinds[section == "own"], "", {}))
    if section in _PARTS:
        rules = [name for name in part_names(_PARTS[section]) if parse_name(name)[0] == name]
        parts, shipped = _resolved(top[section])["properties"], _shipped()[section]
        keys = {name: f"{section}.{name}" for name in rules}
        return [row for n in rules for row in _rows(parts[n], keys[n], shipped.get(n, {}))]
    return [row for row in _rows(_schema(), "", _shipped()) if _is_of_run(row.key)]


def type_name(kind: Schema) -> str:
    """Return the type that a JSON schema declares, in words: `integer, from 1`."""
    limits = [f"{words} {kind[key]:.10g}" for key, words in _LIMITS.items() if key in kind]
    return ", ".join([_base_name(kind), *limits])


def _base_name(kind: Schema) -> str:
    """Return the type without its limits."""
    if choices := kind.get("anyOf") or kind.get("oneOf"):
        return " or ".join(map(type_name, choices))
    if "enum" in kind or "const" in kind:
        choices = kind.get("enum", [kind.get("const")])
        # The names of parts would fill a table, and they are sections of their own.
        is_part = choices in [part_names(axis) for axis in AXES]
        return "name" if is_part else ", ".join(f"`{_text(choice)}`" for choice in choices)
    if kind.get("type") == "array":
        count = f"{kind['minItems']} " if kind.get("minItems") == kind.get("maxItems", -1) else ""
        return f"list of {count}{type_name(kind['items'])}"
    if inner := values_of(kind):
        return f"mapping to {type_name(inner)}"
    return "null" if kind.get("type") == "null" else _TYPES.get(kind.get("type", ""), "settings")


def _is_of_run(key: str) -> bool:
    return key.split(".")[0] not in {*_PARTS, *_ONCE, *_BY_NAME}


def _rows(declared: Schema, prefix: str, values: Any) -> Iterator[Row]:
    """Yield the settings of a mapping; a mapping inside it is replaced by its own settings."""
    mapping = _resolved(declared)
    for name, kind in mapping["properties"].items():
        if "not" in kind:  # a key that must be absent
            continue
        key = f"{prefix}.{name}".removeprefix(".")
        value = values.get(name, _NO_DEFAULT) if isinstance(values, Mapping) else _NO_DEFAULT
        inner, suffix = _inside(kind)
        for inner_mapping in inner:
            yield from _rows(inner_mapping, key + suffix, value)
        if not inner:
            absent = "" if name in mapping.get("required", ()) else ", or absent"
            yield Row(key, type_name(kind) + absent, _default(value), kind.get("description", ""))


def _inside(kind: Schema) -> tuple[list[Schema], str]:
    """Return the mappings inside a type, and what they add to the key, such as [] for a list."""
    kind = _resolved(kind)
    # An override has the same keys as the settings that it changes, so it stays one row.
    if kind.get("title", "").lower().endswith("override"):
        return [], ""
    if "properties" in kind:
        return [kind], ""
    if "oneOf" in kind and all("properties" in _resolved(choice) for choice in kind["oneOf"]):
        return kind["oneOf"], ""
    if "items" in kind:
        return _inside(kind["items"])[0], "[]"
    if inner := values_of(kind):
        return _inside(inner)[0], ".<name>"
    return [], ""


def _resolved(kind: Schema) -> Schema:
    return resolved(kind, _schema())


@cache
def _schema() -> Schema:
    return TypeAdapter(form(Config)).json_schema()


@cache
def _shipped() -> dict[str, Any]:
    return merged(read_layers([CONFIG / name for name in SHIPPED], {}))


def _default(value: Any) -> str:
    return "" if value is _NO_DEFAULT else "empty" if value == "" else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value).strip('"')


def _table(section: str) -> str:
    rows = section_rows(section)
    with_default = any(row.default for row in rows)
    columns = ("key", "type", "default", "meaning") if with_default else ("key", "type", "meaning")
    lines = [columns, ("---",) * len(columns)]
    for row in rows:
        cells = (f"`{row.key}`", row.kind, *([row.default] if with_default else []), row.meaning)
        # A bar would end a cell of a Markdown table.
        lines.append(tuple(cell.replace("|", r"\|") for cell in cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
