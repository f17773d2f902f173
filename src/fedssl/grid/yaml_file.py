"""Read YAML with the line of each key, and refuse a key that is given twice."""

from collections.abc import Iterator
from typing import Any

import yaml

from fedssl.errors import UserError

Key = tuple[str | int, ...]
# The C loader is five times as fast, which saves a quarter of a second whenever a run is planned.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str, name: str) -> tuple[Any, dict[Key, int]]:
    """Return the content of YAML text, and key -> line, from 1.

    Args:
        text: the text.
        name: name of the file, for messages.

    Raises:
        UserError: the text is not YAML, a mapping has a key twice, or an alias contains itself.
    """
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
        raise UserError(f"{name} is not YAML: {' '.join(str(error).split())}.") from error


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


def _check_keys(node: yaml.MappingNode, key: Key, name: str) -> None:
    first: dict[tuple[str, str], int] = {}
    for named, _ in node.value:
        line, text = named.start_mark.line + 1, (named.tag, str(named.value))
        if text in first:
            raise UserError(
                f"{name}: {key_text((*key, text[1]))} is given twice, in line {first[text]} and in "
                f"line {line}; keep one of them."
            )
        first[text] = line
