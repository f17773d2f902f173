"""Facts that parts declare next to their settings, and the cells that contradict them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from fedssl.grid.splits import parse_split
from fedssl.grid.yaml_file import Key


class Facts:
    """The facts that the `Settings` of a part can declare, with the defaults of all others.

    They are plain data, so that planning can read them without importing the part.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image", "audio")
    """Modalities that the part can train on."""

    min_batch: ClassVar[int] = 2
    """Smallest batch size that the part can train with."""

    needs: ClassVar[Mapping[str, str]] = {}
    """Other parts of a cell that this part works with: `method` or `aggregator` -> its name."""

    derived: ClassVar[Mapping[str, str]] = {}
    """Settings that are copied from another setting of the cell -> key of the other setting."""

    square: ClassVar[bool] = False
    """Whether images and log-mel images must have the same size."""

    multiples: ClassVar[Mapping[str, str]] = {}
    """Settings -> the settings that they must be multiples of."""

    holds_cohort: ClassVar[bool] = False
    """Whether an aggregator has the updates of all clients of a round in memory together."""

    kept_models: ClassVar[int] = 0
    """Models that a client at most keeps for a method or an aggregator between its rounds."""

    below: ClassVar[Mapping[str, str]] = {}
    """Settings -> the setting of the cell, by its dotted key, that they must be smaller than."""


def fact(declared: type, name: str) -> Any:
    """Return a fact that a part declares, or its default."""
    return getattr(declared, name, getattr(Facts, name))


def setting(settings: Mapping[str, Any], key: str) -> Any:
    """Return a cell's setting by its dotted key, such as image.size."""
    value: Any = settings
    for part in key.split("."):
        value = value[part]
    return value


def misfits(
    name: str, declared: type, settings: Mapping[str, Any], *, key: str
) -> Iterator[tuple[Key, str]]:
    """Yield each fact of a part that the settings of a cell contradict: a key, and what is wrong.

    `key` is the key of the part's settings: method, encoder or aggregator.
    """
    split, able = settings["split"], fact(declared, "modalities")
    if foreign := [m for m in parse_split(split).modalities if m not in able]:
        text = f"has {split}, which gives clients {' and '.join(foreign)}, but {name} trains on"
        yield ("split",), f"{text} {' and '.join(able)}; choose a split without it"
    size, least = settings["federation"]["batch_size"], fact(declared, "min_batch")
    if size < least:
        yield ("federation", "batch_size"), f"is {size}; {name} needs at least {least}"
    image, audio = settings["image"]["size"], settings["audio"]["size"]
    if fact(declared, "square") and image != audio:
        text = f"is {image} and audio.size {audio}; {name} has one input size, so make them equal"
        yield ("image", "size"), text
    for other, needed in fact(declared, "needs").items():
        if (found := settings[other]["name"]) != needed:
            yield (other,), f"is {found}; the {key} {name} needs the {other} {needed}"
    own, derived = settings[key], fact(declared, "derived")
    for multiple, unit in fact(declared, "multiples").items():
        if own[multiple] % own[unit]:
            place = tuple(derived.get(multiple, f"{key}.{multiple}").split("."))
            yield place, f"is {own[multiple]}; {name} needs a multiple of {key}.{unit}, {own[unit]}"
    for small, limit in fact(declared, "below").items():
        if own[small] >= (most := setting(settings, limit)):
            yield (key, small), f"is {own[small]}; it must be smaller than {limit}, {most}"
