"""The parts a cell is made of (method, encoder, aggregator) and the settings each one declares.

The modules of methods and encoders import torch, which takes seconds. Planning must not wait for
that, so their declarations are read from the source, without running the rest of the module.
"""

import ast
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import annotated_types

from fedssl import settings
from fedssl.grid.transmission import parse_name

_VOCABULARY = {
    **vars(typing),
    **vars(annotated_types),
    **vars(settings),
    "Mapping": Mapping,
    "dataclass": dataclass,
}


class Axis(NamedTuple):
    """Where the parts of an axis are found.

    Attributes:
        package: has one module per part, named as the part with underscores for hyphens.
        section: section of the configuration with the settings of each part.
        key: key of the part's settings among the settings of a cell.
        name_key: key of the part's name among its settings.
        slow: whether the modules import torch.
    """

    package: str
    section: str
    key: str
    name_key: str
    slow: bool


AXES = {
    "method": Axis("fedssl.methods", "methods", "method", "name", slow=True),
    "arch": Axis("fedssl.backbones", "encoders", "encoder", "arch", slow=True),
    "aggregator": Axis("fedssl.aggregators", "aggregators", "aggregator", "name", slow=False),
}


@cache
def part_names(axis: str) -> list[str]:
    """Return the names of all parts of an axis, sorted; every module of its package is one."""
    names: list[str] = import_module(AXES[axis].package).names()
    return names


@cache
def declared_by(axis: str, name: str) -> type:
    """Return the dataclass whose fields are a part's settings.

    A `-bb` name has the settings of its rule.

    Raises:
        ImportError: The package of the axis has no such part.
    """
    rule, _ = parse_name(name)
    package = AXES[axis].package
    module = f"{package}.{rule.replace('-', '_')}"
    found = _read_settings(module) if AXES[axis].slow else None
    return found or import_module(package).declared(rule)


def _read_settings(module: str) -> type | None:
    """Return a copy of the class `Settings` of a module, without running the module.

    Return None if this is not possible, because the module has no such class, or the class needs
    more than the vocabulary of declarations, aliases of types in the module, and one base class
    `Settings` that can be read as well.
    """
    tree = source_tree(module)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == "Settings"]
    if len(found) != 1 or len(found[0].bases) > 1:
        return None
    names: dict[str, Any] = {**_VOCABULARY, "__name__": module}
    for base in found[0].bases:
        owner = ast.unparse(base).removesuffix(".Settings")
        source = _imported_from(tree, owner)
        inherited = _read_settings(source) if source else None
        if inherited is None:
            return None
        found[0].bases, names["_Inherited"] = [ast.Name("_Inherited", ast.Load())], inherited
        ast.fix_missing_locations(found[0])
    for node in (*(node for node in tree.body if isinstance(node, ast.Assign)), *found):
        # Assignments that are not aliases of types fail, because they use functions or torch.
        with suppress(NameError):
            exec(compile(ast.Module([node], []), module, "exec"), names)
    return names.get("Settings")


def _imported_from(tree: ast.Module, name: str) -> str | None:
    """Return the module of the package that a syntax tree imports a name from."""
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    modules = [n.module for n in imports if name in [alias.name for alias in n.names]]
    return next((m for m in modules if m and m.startswith("fedssl.")), None)


def source_tree(module: str) -> ast.Module:
    """Return the syntax tree of a module, without importing it.

    Raises:
        ImportError: There is no such module.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(f"there is no module {module}")
    return ast.parse(Path(spec.origin).read_bytes())
