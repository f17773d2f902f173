"""Facts that parts declare next to their settings, and the cells that contradict them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from fedssl.grid.splits import parse_split


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


def fact(declared: type, name: str) -> Any:
    """Return a fact that a part declares, or its default."""
    return getattr(declared, name, getattr(Facts, name))


def setting(settings: Mapping[str, Any], key: str) -> Any:
    """Return a cell's setting by its dotted key, such as image.size."""
    value: Any = settings
    for part in key.split("."):
        value = value[part]
    return value


def misfits(name: str, declared: type, settings: Mapping[str, Any], *, key: str) -> Iterator[str]:
    """Yield one sentence for each fact of a part that the settings of a cell contradict.

    `key` is the key of the part's settings: method, encoder or aggregator.
    """
    split, able = settings["split"], fact(declared, "modalities")
    if foreign := [m for m in parse_split(split).modalities if m not in able]:
        yield (
            f"{name} trains on {' and '.join(able)}, but the split {split} gives clients "
            f"{' and '.join(foreign)}; choose a split without it."
        )
    size, least = settings["federation"]["batch_size"], fact(declared, "min_batch")
    if size < least:
        yield f"federation.batch_size is {size}; {name} needs at least {least}."
    image, audio = settings["image"]["size"], settings["audio"]["size"]
    if fact(declared, "square") and image != audio:
        yield (
            f"image.size is {image} and audio.size {audio}; {name} has one input size, so make "
            "them equal."
        )
    for other, needed in fact(declared, "needs").items():
        if (found := settings[other]["name"]) != needed:
            yield f"{other} is {found}; the {key} {name} needs the {other} {needed}."
    own = settings[key]
    for multiple, unit in fact(declared, "multiples").items():
        if own[multiple] % own[unit]:
            yield (
                f"{key}.{multiple} is {own[multiple]}; {name} needs a multiple of {key}.{unit}, "
                f"{own[unit]}."
            )
