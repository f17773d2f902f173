"""What many jobs share is stored once: the page names it by its place in a list."""

import json
from typing import Any


class Pool:
    """Distinct JSON values in the order they came."""

    def __init__(self) -> None:
        """Start empty."""
        self.items: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the place of a value among the items, which it joins if it is new."""
        key = json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.items)
            self.items.append(value)
        return self._places[key]
