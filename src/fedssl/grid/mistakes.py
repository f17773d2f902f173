"""Find mistakes in plain data, and describe each: the key, its value, and what would be right."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from fedssl.grid.configuration import Key, closest, key_text

_SUBJECT = re.compile("^(Input|List|Dictionary|String|Value) should ")
# pydantic's messages use the words of JSON, but the files are YAML.
_PLAIN = {
    " after validation": "",
    "a valid array": "a list",
    "a valid boolean": "true or false",
    "an object": "a mapping",
}
# The limits in pydantic's errors; its texts write 1e-12 with all digits.
_LIMITS = {
    "ge": "greater than or equal to",
    "gt": "greater than",
    "le": "less than or equal to",
    "lt": "less than",
}
_LONGEST = 200  # characters of a value in a message
_TAG = re.compile(r"<(\d+)>")  # of `fedssl.settings.Choice`


@dataclass(frozen=True)
class Mistake:
    """Something wrong at a key; `text` continues a sentence that starts with the key."""

    key: Key
    text: str


def find_mistakes(form: Any, data: Any) -> list[Mistake]:
    """Return all mistakes in plain data, sorted by key; an empty list if it has the form."""
    adapter = _adapter(form)
    try:
        # pydantic's strict mode accepts a list for a tuple, and 1 for a float, only in JSON.
        adapter.validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        schema = _schema(form)
        details = error.errors(include_url=False)
        mistakes = [_mistake(found, schema) for found in details if found["type"] != "missing"]
        mistakes += _missing(found["loc"] for found in details if found["type"] == "missing")
        return sorted(mistakes, key=lambda mistake: key_text(mistake.key))
    return []


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)


@cache
def _schema(form: Any) -> dict[str, Any]:
    return _adapter(form).json_schema()


def _missing(places: Iterable[tuple[int | str, ...]]) -> list[Mistake]:
    """Return one mistake for all keys that a mapping lacks."""
    names: dict[Key, list[str]] = {}
    for *parents, name in places:
        names.setdefault(_key(parents), []).append(str(name))
    return [Mistake(key, f"lacks {', '.join(sorted(lacking))}") for key, lacking in names.items()]


def _mistake(found: Mapping[str, Any], schema: Mapping[str, Any]) -> Mistake:
    *parents, last = found["loc"] or ("",)
    wanted = _SUBJECT.sub("must ", found["msg"])
    for words, plain in _PLAIN.items():
        wanted = wanted.replace(words, plain)
    for limit, words in _LIMITS.items():
        if limit in found.get("ctx", ()):
            wanted = f"must be {words} {found['ctx'][limit]:.10g}"
    if last == "[key]":
        return Mistake(_key(parents[:-1]), f"has the key {parents[-1]!r}; a key {wanted}")
    if found["type"] == "extra_forbidden":
        known = sorted(resolved(_schema_at(parents, schema), schema)["properties"])
        hint = closest(str(last), known) or f"; known are {', '.join(known) or 'none'}"
        return Mistake(_key(found["loc"]), f"is no setting{hint}")
    declared = _schema_at(found["loc"], schema)
    if found["type"].endswith("_type") and {"type": "null"} in declared.get("anyOf", ()):
        wanted += " or null"
    return Mistake(
        _key(found["loc"]), f"is {_shown(found['input'])}; it {wanted}{_spelling(found)}"
    )


def _shown(value: Any) -> str:
    """Return a value as text of at most a line."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _spelling(found: Mapping[str, Any]) -> str:
    """Return how to write a number that YAML reads as text, or text that it reads as a number."""
    # YAML 1.1 reads a number with an exponent only if it has a point and a sign: 1.0e-3.
    if found["type"] == "string_type" and isinstance(found["input"], bool | int | float):
        return ", written in quotes"
    kind = {"float_type": float, "int_type": int}.get(found["type"])
    try:
        meant = float(str(found["input"]).replace(",", ".")) if kind else math.nan
    except ValueError:
        return ""
    if not math.isfinite(meant) or (kind is int and not meant.is_integer()):
        return ""
    return f", written {yaml.safe_dump(kind(meant)).split()[0]}" if kind else ""


def _key(place: Iterable[int | str]) -> Key:
    """Return the key at a place in pydantic's error, without the tags of choices."""
    return tuple(part for part in place if not _TAG.fullmatch(str(part)))


def _schema_at(place: Iterable[int | str], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a JSON schema that declares a place."""
    found = schema
    for part in place:
        node = resolved(found, schema)
        if tag := _TAG.fullmatch(str(part)):
            found = node["oneOf"][int(tag[1])]
        elif isinstance(part, int):
            found = node["items"]
        else:
            found = node.get("properties", {}).get(part) or values_of(node)
    return found


def resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the target of a reference in a JSON schema; of a type or null, return the type."""
    if "$ref" in node:
        return resolved(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    others = [item for item in node.get("anyOf", ()) if item != {"type": "null"}]
    return resolved(others[0], schema) if len(others) == 1 else node


def values_of(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON schema of the values of a mapping; empty if all values are valid."""
    # pydantic writes `patternProperties` if the keys must match a pattern.
    by_pattern = node.get("patternProperties", {}).values()
    found = next(iter(by_pattern), node.get("additionalProperties"))
    return found if isinstance(found, Mapping) else {}
