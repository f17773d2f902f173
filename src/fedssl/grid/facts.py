"""Facts that parts declare next to their settings, and cells that these rule out."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, get_type_hints

from fedssl.grid.splits import parse_split


class Facts:
    """What a part can declare: attributes of the class of its settings, with these defaults.

    They are plain data, so that planning can read them without importing the part.
    """

    modalities: ClassVar[tuple[str, ...]] = ("image", "audio")
    """What it can be trained on."""

    min_batch: ClassVar[int] = 2
    """Smallest batch it can be trained in."""

    derived: ClassVar[Mapping[str, str]] = {}
    """Settings that are not in the configuration -> those of a cell that they repeat."""

    square: ClassVar[bool] = False
    """Whether it has one input size, which images and log-mel images must share."""

    multiples: ClassVar[Mapping[str, str]] = {}
    """Settings -> the settings that they must be multiples of."""


Settings = Mapping[str, Any]
_FACTS = tuple(get_type_hints(Facts))


def fact(declared: type, name: str) -> Any:
    """Return a fact that a part declares, or the one that holds for all others."""
    return getattr(declared, name, getattr(Facts, name))


def facts(declared: type) -> dict[str, Any]:
    """Return the facts that a part declares, as plain data."""
    return {name: getattr(declared, name) for name in _FACTS if hasattr(declared, name)}


def setting(settings: Settings, key: str) -> Any:
    """Return a cell's setting by its dotted key, such as image.size."""
    value: Any = settings
    for part in key.split("."):
        value = value[part]
    return value


def misfits(name: str, declared: type, settings: Settings, *, key: str) -> Iterator[str]:
    """Yield a sentence for each fact of a part that the settings of a cell contradict.

    `key` is that of the part's own settings among them: method, encoder or aggregator.
    """
    for check in (_modalities, _batch, _square):
        yield from check(name, declared, settings)
    own = settings[key]
    for multiple, unit in fact(declared, "multiples").items():
        if own[multiple] % own[unit]:
            yield (
                f"{key}.{multiple} is {own[multiple]}; {name} needs a multiple of {key}.{unit}, "
                f"{own[unit]}."
            )


def _modalities(name: str, declared: type, settings: Settings) -> Iterator[str]:
    able = fact(declared, "modalities")
    foreign = [m for m in parse_split(settings["split"]).modalities if m not in able]
    if foreign:
        yield (
            f"{name} trains on {' and '.join(able)}, but the split {settings['split']} gives "
            f"clients {' and '.join(foreign)}; choose a split without it."
        )


def _batch(name: str, declared: type, settings: Settings) -> Iterator[str]:
    size, least = settings["federation"]["batch_size"], fact(declared, "min_batch")
    if size < least:
        yield f"federation.batch_size is {size}; {name} needs at least {least}."


def _square(name: str, declared: type, settings: Settings) -> Iterator[str]:
    image, audio = settings["image"]["size"], settings["audio"]["size"]
    if fact(declared, "square") and image != audio:
        yield (
            f"image.size is {image} and audio.size {audio}; {name} has one input size, so make "
            "them equal."
        )
