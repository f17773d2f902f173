"""The settings reference: tables in config/README.md, made from the declarations.

A table stands between `<!-- settings: <key> -->` and `<!-- end -->`; the key names its section.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from fedssl.data.settings import Dataset, OwnDataset
from fedssl.evaluation.settings import Evaluation
from fedssl.grid.configuration import SHIPPED, merged, read_layers
from fedssl.grid.facts import fact
from fedssl.grid.forms import descriptions
from fedssl.grid.parts import AXES, GENERATED, declared_by, part_names
from fedssl.grid.settings import Scale
from fedssl.grid.transmission import parse_name
from fedssl.paper.settings import Contrast, MapFigure, SweepFigure, Table
from fedssl.schema.config import CellSettings, Config, Study
from fedssl.schema.type_names import type_name
from fedssl.settings import Absent, Partial
from fedssl.typed import DeclaredField, bare, declared_fields, marks, without_none

README = GENERATED.parents[1] / "README.md"
_REGION = re.compile(r"(<!-- settings: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NO_DEFAULT = object()
# Sections with a table of their own, by key; those of parts are added below.
_SECTIONS: dict[str, tuple[type, str]] = {
    "scale": (Scale, "scale"),
    "settings": (CellSettings, "settings"),
    "evaluation": (Evaluation, "evaluation"),
    "studies": (Study, ""),
    "tables": (Table, ""),
    "contrasts": (Contrast, ""),
    "maps": (MapFigure, ""),
    "sweeps": (SweepFigure, ""),
    "datasets": (Dataset, ""),
    "own": (OwnDataset, ""),
}


class Row(NamedTuple):
    """A setting: its key, what it takes, its value as shipped, and what it means."""

    key: str
    kind: str
    default: str
    meaning: str


def with_reference(readme: str) -> str:
    """Return the text of config/README.md with its tables of settings as they are declared."""
    return _REGION.sub(lambda found: found[1] + _table(found[2]) + found[3], readme)


def regions(readme: str) -> list[str]:
    """Return the keys of the tables that a text has."""
    return [found[2] for found in _REGION.finditer(readme)]


def section_names() -> list[str]:
    """Return the keys of all tables that there are."""
    return ["run", *(part.section for part in AXES.values()), *_SECTIONS]


def section_rows(section: str) -> list[Row]:
    """Return the settings of a table."""
    if section == "run":
        return [row for row in _rows(Config, "", _shipped()) if _is_of_run(row.key)]
    for axis, part in AXES.items():
        if part.section == section:
            return [row for name in part_names(axis) for row in _part_rows(axis, name)]
    declared, key = _SECTIONS[section]
    return list(_rows(declared, key, _shipped()[key] if key else {}))


def _is_of_run(key: str) -> bool:
    return key.split(".")[0] not in {*_SECTIONS, *(part.section for part in AXES.values())}


def _part_rows(axis: str, name: str) -> Iterator[Row]:
    if parse_name(name)[0] == name:
        key = f"{AXES[axis].section}.{name}"
        declared = declared_by(axis, name, imported=True)
        yield from _rows(declared, key, _shipped()[AXES[axis].section].get(name, {}))


def _rows(declared: type, prefix: str, values: Any) -> Iterator[Row]:
    """Yield the settings of a declaration, those inside it in its place."""
    texts = descriptions(declared)
    for field in declared_fields(declared):
        if field.name in fact(declared, "derived") or _must_be_absent(field):
            continue
        kind = without_none(field.kind) if field.none_if_absent else field.kind
        key = f"{prefix}.{field.key}".removeprefix(".")
        value = values.get(field.key, _NO_DEFAULT) if isinstance(values, Mapping) else _NO_DEFAULT
        inner, suffix = _inside(kind)
        for declaration in inner:
            yield from _rows(declaration, key + suffix, value)
        if not inner:
            may_miss = "" if field.required or not _is_plain(declared) else ", or absent"
            yield Row(key, type_name(kind) + may_miss, _default(value), texts.get(field.name, ""))


def _must_be_absent(field: DeclaredField) -> bool:
    return any(isinstance(mark, Absent) for mark in marks(field.kind))


def _is_plain(declared: type) -> bool:
    """Return whether a declaration is of the configuration and not of a part."""
    return declared.__module__.endswith((".settings", ".config"))


def _inside(kind: Any) -> tuple[list[type], str]:
    """Return the declarations that a type holds, and what its key gets, such as [] for a list.

    An override is not unfolded: it may have what stands elsewhere.
    """
    if any(isinstance(mark, Partial) for mark in marks(kind)):
        return [], ""
    kind, items = bare(kind), [bare(item) for item in get_args(bare(kind))]
    if is_dataclass(kind):
        return [kind], ""  # type: ignore[list-item]
    if get_origin(kind) in (Union, UnionType) and all(map(is_dataclass, items)):
        return items, ""
    if get_origin(kind) is tuple:
        return _inside(items[0])[0], "[]"
    if get_origin(kind) is Mapping:
        return _inside(get_args(kind)[1])[0], ".<name>"
    return [], ""


def _default(value: Any) -> str:
    if value is _NO_DEFAULT:
        return ""
    return "empty" if value == "" else str(json.dumps(value)).strip('"')


def _shipped() -> dict[str, Any]:
    return merged(read_layers([README.parent / name for name in SHIPPED], {}))


def _table(section: str) -> str:
    rows = section_rows(section)
    with_default = any(row.default for row in rows)
    columns = ("key", "type", "default", "meaning") if with_default else ("key", "type", "meaning")
    lines = [columns, ("---",) * len(columns)]
    for row in rows:
        cells = (f"`{row.key}`", row.kind, *([row.default] if with_default else []), row.meaning)
        lines.append(tuple(cell.replace("|", r"\|") for cell in cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
