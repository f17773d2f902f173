"""Keep what was read from source files for the next run: parsing them takes a second.

The file is next to Python's bytecode and serves the same purpose. It may be deleted at any time. An
entry is found by the SHA-256 of a source file, so an entry can be unused, but never out of date.
"""

import contextlib
import importlib.util
import json
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from fedssl.files import bytes_digest, write_text

# An edit adds an entry and removes none, so start again when there are too many.
_MOST = 2000


class ParsedSources:
    """Entries of source files by the SHA-256 of their bytes, kept in a file."""

    def __init__(self, reader: Path) -> None:
        """Use the entries that `reader`, the module that computes them, has kept in this form."""
        # A new version of the reader or of Python computes other entries from the same bytes.
        version = bytes_digest(reader.read_bytes() + sys.version.encode())[:16]
        bytecode = Path(importlib.util.cache_from_source(str(reader)))
        self._file = bytecode.with_name(f"{reader.stem}.{version}.json")
        self._new: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return an entry, or None."""
        return self._new.get(key) or self._kept.get(key)

    def add(self, key: str, entry: Any) -> None:
        """Add an entry of plain data, to be kept by `save`."""
        self._new[key] = entry

    def save(self) -> None:
        """Write new entries, if Python writes bytecode and its folder can be written."""
        if sys.dont_write_bytecode or not self._new:
            return
        kept = self._kept if len(self._kept) < _MOST else {}
        with contextlib.suppress(OSError):
            write_text(self._file, json.dumps(kept | self._new))

    @cached_property
    def _kept(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not written yet, or damaged
            return {}
        return found if isinstance(found, dict) else {}
