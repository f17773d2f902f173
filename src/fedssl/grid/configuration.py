"""Read and merge the layers of the configuration: files first, then the command line."""

import difflib
import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.yaml_file import Key as Key
from fedssl.grid.yaml_file import key_text as key_text
from fedssl.grid.yaml_file import read_yaml

# Files in the folder `config` that every run reads before the user's own.
SHIPPED = ("config.yaml", "experiments.yaml", "datasets.yaml")


@dataclass(frozen=True)
class Layer:
    """One source of configuration: a file, or the command line.

    Attributes:
        name: path of the file, or `--config`.
        content: what it sets.
        lines: key -> line in the file.
    """

    name: str
    content: Mapping[str, Any]
    lines: Mapping[Key, int] = field(default_factory=dict)


def read_layers(files: Iterable[str | Path], command_line: Mapping[str, Any]) -> list[Layer]:
    """Return the layers of the configuration; later ones override earlier ones."""
    names = dict.fromkeys(os.path.relpath(file) for file in files)
    layers = [_read_layer(Path(name)) for name in names]
    return [*layers, Layer("--config", _typed(dict(command_line)))]


def command_line(settings: Iterable[str]) -> dict[str, Any]:
    """Return the configuration that `key=value` arguments of `--config` set.

    Raises:
        UserError: An argument is not `key=value`, or a key is given twice.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if not key.isidentifier() or not value.strip():
            raise UserError(f"--config is {setting!r}; it must be key=value, such as seeds=[0].")
        if key in found:
            raise UserError(
                f"--config: {key} is given twice, the second time as {value}; keep one."
            )
        found[key], _ = read_yaml(value, f"--config {key}")
    return found


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the merged configuration; keys have the order of the first layer that sets them."""
    empty: dict[str, Any] = {}
    return functools.reduce(merge, (layer.content for layer in layers), empty)


def sort_keys(data: Any) -> Any:
    """Return plain data with the keys of all mappings sorted."""
    # Snakemake compares parameters by their repr, which depends on the order of keys.
    if isinstance(data, Mapping):
        return {key: sort_keys(data[key]) for key in sorted(data)}
    if isinstance(data, list | tuple):
        return [sort_keys(item) for item in data]
    return data


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` overridden by `override`; mappings are merged key by key."""
    merged = dict(base)
    for key, value in override.items():
        inner = merged.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(inner, value)
        else:
            merged[key] = value
    return merged


def origin(key: Key, layers: Sequence[Layer]) -> str:
    """Return the name of the last layer that sets `key` or one of its parents."""
    return _setter(key, layers)[0].name


def line_of(key: Key, layers: Sequence[Layer]) -> int | None:
    """Return the line of `key`, or of its innermost parent, in the file that `origin` names."""
    layer, found = _setter(key, layers)
    return layer.lines.get(found)


def _setter(key: Key, layers: Sequence[Layer]) -> tuple[Layer, Key]:
    for depth in range(len(key), 0, -1):
        for layer in reversed(layers):
            if holds(layer.content, key[:depth]):
                return layer, key[:depth]
    return layers[0], ()


def located(key: Key, layers: Sequence[Layer]) -> str:
    """Return `<layer>: <key>`, the start of a message about a key."""
    return f"{origin(key, layers)}: {key_text(key)}"


def closest(value: str, known: Iterable[str]) -> str:
    """Return ' (did you mean x?)' if a known word is similar to `value`, else empty text."""
    match = difflib.get_close_matches(value, list(known), n=1)
    return f" (did you mean {match[0]}?)" if match else ""


def _typed(value: Any) -> Any:
    """Return a value of the command line with text replaced by numbers, booleans and nulls."""
    # Snakemake converts none of these inside lists and mappings, and never converts `null`.
    if isinstance(value, Mapping):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    try:
        meant = json.loads(value.lower()) if isinstance(value, str) else value
    except ValueError:
        return value
    return value if isinstance(meant, str | list | dict) else meant


def _read_layer(path: Path) -> Layer:
    # The text of a pipe can be read only once. `Path.exists` would raise for a closed folder.
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{path} is not a file; save the configuration as one.")
    try:
        content, lines = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not YAML: {error}; save it as UTF-8.") from error
    if content is None:
        raise UserError(f"{path} sets nothing; leave it out of --configfile.")
    if not isinstance(content, Mapping):
        found = type(content).__name__
        raise UserError(f"{path}: the top level is a {found}; it must be keys, as in seeds: [0].")
    return Layer(str(path), content, lines)


def holds(content: Any, key: Key) -> bool:
    """Return whether nested plain data has a key."""
    for part in key:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
