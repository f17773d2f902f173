"""Compare two pieces of plain data key by key."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

ABSENT = "absent"


class Change(NamedTuple):
    """A changed key with its values before and after; `ABSENT` stands for a missing value."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """Return the key, the old and the new value, shortened for reading."""
        return f"{self.key}: {_short(self.before)} -> {_short(self.after)}"


def settings_diff(before: Any, after: Any, key: str = "") -> Iterator[Change]:
    """Yield the changes sorted by key; the keys of nested mappings are joined by dots."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after.keys(), key=str):
            inner = f"{key}.{name}" if key else str(name)
            yield from settings_diff(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif before != after:
        yield Change(key, before, after)


def flat(data: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with their dotted keys."""
    if isinstance(data, Mapping) and data:
        for name, value in data.items():
            yield from flat(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, data


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
