"""Find the key of the configuration that sets a setting of a cell."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fedssl.grid.configuration import Key, Layer, holds, line_of, located, merged
from fedssl.grid.parts import AXES
from fedssl.grid.transmission import parse_name

if TYPE_CHECKING:
    from fedssl.grid.cell import Cell


def setter(cell: "Cell", entry: Key, key: Key, layers: Sequence[Layer]) -> Key:
    """Return the key that sets the setting `key` of a cell, which `entry` of `cells` declares.

    An entry overrides the variant, which overrides the study, which overrides the defaults.
    """
    study = entry[:2]
    own = [(*entry, "settings"), (*study, "variants", cell.variant), (*study, "settings")]
    keys: list[Key] = [(*parent, *key) for parent in own]
    # The defaults of a part are in a section of their own, by the name of the part.
    part = next((axis for axis, known in AXES.items() if known.key == key[0]), None)
    if part is None:
        keys.append(("settings", *key))
    else:
        name = str(getattr(cell, part))
        names = dict.fromkeys((name, parse_name(name)[0]))
        keys += [(AXES[part].section, name, *key[1:]) for name in names]
    content = merged(layers)
    return next((found for found in keys if holds(content, found)), keys[-1])


def sentence(key: Key, text: str, layers: Sequence[Layer]) -> str:
    """Return `<layer>: <key> <text> (line n).`, a message about a key."""
    line = line_of(key, layers)
    return f"{located(key, layers)} {text}{f' (line {line})' if line else ''}."
