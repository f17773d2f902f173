"""Checking the merged configuration: one sentence a mistake, with file, key, value and remedy."""

import difflib
import functools
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from fedssl.errors import UserError

# What every run reads first, in the folder `config`.
SHIPPED = ("config.yaml", "experiments.yaml", "datasets.yaml")
Key = tuple[str | int, ...]
_PLACES = ("results_dir", "data_dir", "mirror", "pins")


@dataclass(frozen=True)
class Layer:
    """One source of configuration: a file, or the command line."""

    name: str
    content: Mapping[str, Any]


def read_layers(files: Iterable[str | Path], command_line: Mapping[str, Any]) -> list[Layer]:
    """Return the configuration's sources in the order in which later ones win."""
    names = dict.fromkeys(os.path.relpath(file) for file in files)
    layers = [Layer(name, _read_yaml(Path(name))) for name in names]
    return [*layers, Layer("--config", _typed(dict(command_line)))]


def command_line(settings: Iterable[str]) -> dict[str, Any]:
    """Return `key=value` settings as Snakemake's `--config` takes them; UserError for others."""
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise UserError(f"--config is {setting!r}; it must be key=value, such as seeds=[0].")
    return found


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the configuration: later layers win, and earlier ones give the keys their order."""
    empty: dict[str, Any] = {}
    return functools.reduce(merge, (layer.content for layer in layers), empty)


def sort_keys(data: Any) -> Any:
    """Return plain data with the keys of every mapping sorted, as Snakemake compares by repr."""
    if isinstance(data, Mapping):
        return {key: sort_keys(data[key]) for key in sorted(data)}
    if isinstance(data, list | tuple):
        return [sort_keys(item) for item in data]
    return data


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `override` on top, mappings merged key by key."""
    merged = dict(base)
    for key, value in override.items():
        inner = merged.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(inner, value)
        else:
            merged[key] = value
    return merged


def with_places(config: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the configuration with `~` and variables in its paths expanded, in plain spelling.

    Raises:
        UserError: there is no such variable or user, or white space in `results_dir`.
    """
    places = {key: _place(config[key]) for key in _PLACES}
    for key, place in places.items():
        if place and ("$" in place or place.startswith("~")):
            wrong = "there is no such environment variable or user"
        elif key == "results_dir" and re.search(r"\s", place):
            wrong = "it must be without white space, which separates paths in the tables"
        else:
            continue
        raise UserError(f"{origin((key,), layers)}: {key} is {place!r}; {wrong}.")
    return {**config, **places}


def validate(config: Mapping[str, Any], layers: Sequence[Layer], *, schemas: Path) -> None:
    """Raise UserError with every violation of `config.schema.json`, a line each."""
    contents = {path.name: json.loads(path.read_text()) for path in schemas.glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in contents.items()
    )
    validator = Draft202012Validator(contents["config.schema.json"], registry=registry)
    errors = sorted(validator.iter_errors(config), key=_position)
    if errors:
        raise UserError("\n".join(_explain(error, layers) for error in errors))


def origin(key: Key, layers: Sequence[Layer]) -> str:
    """Return the name of the last layer that sets `key`, or a parent of it."""
    for depth in range(len(key), 0, -1):
        for layer in reversed(layers):
            if _holds(layer.content, key[:depth]):
                return layer.name
    return layers[0].name


def setter(keys: Sequence[Key], layers: Sequence[Layer]) -> str:
    """Return `<layer>: <key>` of the first of `keys` that the layers set together."""
    content = merged(layers)
    key = next((key for key in keys if _holds(content, key)), keys[-1])
    return f"{origin(key, layers)}: {key_text(key)}"


def key_text(key: Iterable[str | int]) -> str:
    """Return a key as people write it: studies.fssuavl.cells[0].split."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return "".join(parts).removeprefix(".") or "the top level"


def closest(value: str, known: Iterable[str]) -> str:
    """Return ' (did you mean x?)' where something known is close to `value`, else nothing."""
    match = difflib.get_close_matches(value, list(known), n=1)
    return f" (did you mean {match[0]}?)" if match else ""


def _typed(value: Any) -> Any:
    """Return a value of the command line with its numbers, booleans and nulls as such.

    Snakemake leaves each of them in a list or mapping as text, and `null` everywhere.
    """
    if isinstance(value, Mapping):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    try:
        meant = json.loads(value.lower()) if isinstance(value, str) else value
    except ValueError:
        return value
    return value if isinstance(meant, str | list | dict) else meant


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:  # of YAML, names line and column
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, Mapping | None):
        found = type(content).__name__
        raise UserError(f"{path}: the top level is a {found}; it must be keys, as in seeds: [0].")
    return content or {}


def _place(given: str | None) -> Any:
    if given is None or "://" in given:  # a mirror may be neither file nor folder
        return given
    return str(Path(os.path.expanduser(os.path.expandvars(given))))


def _position(error: Any) -> str:
    return key_text(error.absolute_path)


def _explain(error: Any, layers: Sequence[Layer]) -> str:
    key: Key = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        return "\n".join(_explain_unknown(name, key, error, layers) for name in _unknown(error))
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{origin(key, layers)}: {key_text(key)} lacks {', '.join(missing)}."
    wanted = _wanted(error)
    return f"{origin(key, layers)}: {key_text(key)} is {error.instance!r}; it must be {wanted}."


def _explain_unknown(name: str, key: Key, error: Any, layers: Sequence[Layer]) -> str:
    known = sorted(error.schema.get("properties", {}))
    hint = closest(name, known) or f"; known are {', '.join(known)}"
    where = key_text((*key, name))
    return f"{origin((*key, name), layers)}: {where} is no setting{hint}."


def _unknown(error: Any) -> list[str]:
    return sorted(set(error.instance) - set(error.schema.get("properties", {})))


_WANTED = {
    "exclusiveMaximum": "less than {}",
    "exclusiveMinimum": "more than {}",
    "maxItems": "a list of at most {}",
    "maximum": "at most {}",
    "minItems": "a list of at least {}",
    "minimum": "at least {}",
    "multipleOf": "a multiple of {}",
    "const": "{}",
}


def _wanted(error: Any) -> str:
    """Say what a value must be, by the schema keyword that it breaks."""
    keyword, value = error.validator, error.validator_value
    if keyword == "type":
        return f"of type {value if isinstance(value, str) else ' or '.join(value)}"
    if keyword == "enum":
        return f"one of {', '.join(map(str, value))}"
    if keyword == "uniqueItems":
        return "a list without repetitions"
    if keyword in ("not", "pattern"):
        return str(error.schema.get("description", f"text that matches {value}"))
    return _WANTED[keyword].format(value) if keyword in _WANTED else str(error.message)


def _holds(content: Any, key: Key) -> bool:
    for part in key:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
