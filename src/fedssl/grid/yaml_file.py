"""Read YAML with the line of each key, and refuse a key that is given twice."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import yaml

from fedssl.errors import UserError

_TAGS = "tag:yaml.org,2002:"
# Tags of values that are neither text, numbers, lists nor mappings.
_STRANGE = {
    "binary": "bytes",
    "omap": "an ordered mapping",
    "pairs": "a list of pairs",
    "set": "a set",
    "timestamp": "a date",
}
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_DEEPEST = 200
Key = tuple[str | int, ...]
# The C loader is five times as fast, which saves a quarter of a second whenever a run is planned.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str, name: str) -> tuple[Any, dict[Key, int]]:
    """Return the content of YAML text, and key -> line, from 1.

    Args:
        text: the text.
        name: name of the file, for messages.

    Raises:
        UserError: the text is not YAML, a mapping has a key twice, an alias contains itself, or a
            value is of a kind that no setting has, such as a date.
    """
    if _depth(text) > _DEEPEST:
        raise UserError(f"{name} is nested too deeply; no setting has more than ten levels.")
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            # YAML would silently drop the first of two equal keys, so they are found here.
            lines = dict(_lines(node, (), set(), (), name)) if node else {}
            return loader.construct_document(node) if node else None, lines
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        # The text of a YAML error gives line and column, on several lines.
        said = " ".join(str(error).replace(' in "<unicode string>",', "").split())
        tabs = "; indent with spaces, not with tabs" if re.search(r"^ *\t", text, re.M) else ""
        raise UserError(f"{name} is not YAML: {said}{tabs}.") from error
    except RecursionError as error:
        raise UserError(
            f"{name} is nested too deeply; no setting has more than ten levels."
        ) from error
    except ValueError as error:  # for example of a number with 5,000 digits
        raise UserError(f"{name} has a value that cannot be read: {error}.") from error


def key_text(key: Key) -> str:
    """Return a key as text, such as studies.fssuavl.cells[0].split."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return "".join(parts).removeprefix(".") or "the top level"


def _lines(
    node: yaml.Node, key: Key, seen: set[int], above: tuple[int, ...], name: str
) -> Iterator[tuple[Key, int]]:
    """Yield key and line of everything below a node; `above` are the nodes that contain it."""
    if id(node) in above:
        raise UserError(
            f"{name}: {key_text(key)} is an alias of what contains it (line "
            f"{node.start_mark.line + 1}), so it has no end; write out what is meant."
        )
    # A node that an alias repeats is visited once: aliases of aliases could be too many to count.
    if id(node) in seen:
        return
    seen.add(id(node))
    _check_value(node, key, name)
    if isinstance(node, yaml.SequenceNode):
        inner = [((*key, place), item, item) for place, item in enumerate(node.value)]
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node, key, name)
        inner = [((*key, str(named.value)), named, value) for named, value in node.value]
    else:
        return
    for below, named, value in inner:
        yield below, named.start_mark.line + 1
        yield from _lines(value, below, seen, (*above, id(node)), name)


def _depth(text: str) -> int:
    """Return an upper limit of the levels of YAML text that are written without line breaks."""
    # LibYAML's parser calls itself for each level and ends the process if there are too many.
    steps = (1 if mark in "[{" else -1 for mark in re.findall(r"[][{}]", text))
    dashes = max(map(len, re.findall(r"(?:[-?] +)+", text)), default=0)
    return max(max(itertools.accumulate(steps), default=0), dashes // 2)


def _check_value(node: yaml.Node, key: Key, name: str) -> None:
    """Raise UserError for a value that YAML reads as something else than is written."""
    kind, line = node.tag.removeprefix(_TAGS), node.start_mark.line + 1
    read_as = _STRANGE.get(kind)
    if kind in ("int", "float") and _BASE_60.fullmatch(node.value):
        read_as = "a number in base 60"
    elif kind == "int" and _OCTAL.fullmatch(node.value):
        read_as = "a number in base 8"
    if read_as:
        written = f"is {node.value}, which" if isinstance(node, yaml.ScalarNode) else "is what"
        raise UserError(
            f"{name}: {key_text(key)} {written} YAML reads as {read_as}; write a plain number, a "
            f"list, or text in quotes (line {line})."
        )


def _check_keys(node: yaml.MappingNode, key: Key, name: str) -> None:
    first: dict[tuple[str, str], int] = {}
    for named, _ in node.value:
        line, text = named.start_mark.line + 1, (named.tag, str(named.value))
        if named.tag.removeprefix(_TAGS) not in ("str", "merge"):
            found = named.value if isinstance(named, yaml.ScalarNode) else "that is no word"
            raise UserError(
                f"{name}: {key_text(key)} has a key {found}, which YAML does not read as text; "
                f"write it in quotes (line {line})."
            )
        if text in first:
            where = f"in line {first[text]} and in line {line}" if first[text] != line else ""
            raise UserError(
                f"{name}: {key_text((*key, text[1]))} is given twice, "
                f"{where or f'both in line {line}'}; keep one of them."
            )
        first[text] = line
