"""The parts a cell is made of: which there are, and what each declares, without importing torch.

The module of a method or an encoder imports torch, which takes seconds. So planning reads what
these modules declare from the generated `config/schemas/config.schema.json`. A module that is not
in there, or whose declarations changed since, is imported: slower, and right. `make schemas`
writes the file again.
"""

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional

from annotated_types import Ge, Gt, Le, Lt, MultipleOf

from fedssl.grid.transmission import parse_name

PACKAGE = Path(__file__).parents[1]
GENERATED = PACKAGE.parents[1] / "config" / "schemas" / "config.schema.json"


class Axis(NamedTuple):
    """Where the parts of an axis are.

    Attributes:
        package: with a module for each part, named as the part with underscores for hyphens.
        section: of the configuration, with the settings of each part.
        key: of the part's settings among a cell's.
        name_key: of the part's name among its settings.
        slow: whether its modules import torch.
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


@dataclass(frozen=True)
class PartName:
    """The name of a part of an axis."""

    axis: str


@dataclass(frozen=True)
class PartSections:
    """Settings of each part of an axis, by its name; all settings of a part must be there."""

    axis: str


@dataclass(frozen=True)
class PartOverride:
    """Settings of one part of an axis; any key may be missing."""

    axis: str


@cache
def part_names(axis: str) -> list[str]:
    """Return the names that the modules of an axis give, sorted."""
    names: list[str] = import_module(AXES[axis].package).names()
    return names


@cache
def declared_by(axis: str, name: str, *, imported: bool = False) -> type:
    """Return the dataclass whose fields are a part's settings; ImportError if there is none.

    A `-bb` name has its rule's. Unless it must be `imported`, it may be a copy without docstrings.
    """
    name, _ = parse_name(name)
    definition = _generated().get(definition_name(axis, name), {})
    current = definition.get("x-source") == declaration_digest(axis, name)
    if AXES[axis].slow and current and not imported:
        return _rebuilt(name, definition)
    declared: type = import_module(AXES[axis].package).declared(name)
    return declared


def definition_name(axis: str, name: str) -> str:
    """Return what a part is called among the definitions of the schema: method_simclr."""
    return f"{axis}_{name}"


@cache
def declaration_digest(axis: str, name: str) -> str:
    """Return a digest of what a part's module declares, and of what it inherits and refers to.

    Bodies of functions do not count, so an edit of the mathematics leaves the schema current.
    """
    folder = PACKAGE / AXES[axis].package.rsplit(".", 1)[1]
    module = folder / f"{name.replace('-', '_')}.py"
    files = (module, folder / "base.py", PACKAGE / "settings.py")
    trees = [_WithoutFunctions().visit(ast.parse(f.read_bytes())) for f in files if f.is_file()]
    return hashlib.sha256("".join(map(ast.dump, trees)).encode()).hexdigest()[:16]


class _WithoutFunctions(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Drop a function."""


@cache
def _generated() -> Mapping[str, Any]:
    if not GENERATED.is_file():
        return {}
    definitions: dict[str, Any] = json.loads(GENERATED.read_text(encoding="utf-8"))["$defs"]
    return definitions


_TYPES = {"integer": int, "number": float, "string": str, "boolean": bool, "null": type(None)}
_LIMITS = {
    "minimum": Ge,
    "exclusiveMinimum": Gt,
    "maximum": Le,
    "exclusiveMaximum": Lt,
    "multipleOf": MultipleOf,
}


def _rebuilt(name: str, definition: Mapping[str, Any]) -> type:
    """Return a dataclass with the fields and facts that a definition of the schema has."""
    fields = [(key, _type_of(schema)) for key, schema in definition["properties"].items()]
    return make_dataclass(name, fields, namespace=dict(definition["x-facts"]), frozen=True)


def _type_of(schema: Mapping[str, Any]) -> Any:
    """Return the type of a setting of a part: a number, text, a choice, or null next to one."""
    if "anyOf" in schema:
        (other,) = (s for s in schema["anyOf"] if s != {"type": "null"})
        return Optional[_type_of(other)]  # noqa: UP045
    if "enum" in schema or "const" in schema:
        return Literal[tuple(schema.get("enum", [schema.get("const")]))]
    marks = [mark(schema[key]) for key, mark in _LIMITS.items() if key in schema]
    kind: Any = _TYPES[schema["type"]]
    return Annotated[(kind, *marks)] if marks else kind
