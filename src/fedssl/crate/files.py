"""The files of a crate: those of the results, the code beside them, and what lies elsewhere."""

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from fedssl.files import sha256

CODE = "code"
_FORMATS = {
    ".md": "text/markdown",
    ".npy": "application/octet-stream",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".smk": "text/plain",
    ".yaml": "application/yaml",
}


class Files:
    """Entities of files, found by the paths that the jobs' records name them by."""

    def __init__(self, crate: ROCrate, *, results: str, urls: Mapping[str, str]) -> None:
        """Start empty; `urls` are the addresses of files that a crate does not hold."""
        self._crate = crate
        self._results = results
        self._urls = urls
        self._present: dict[str, Entity] = {}

    def add(self, path: str, digest: str | None = None) -> Entity:
        """Add a file that lies in the results folder, hashed unless its digest is given."""
        place = Path(path).relative_to(self._results).as_posix()
        return self._add(path, place, digest or sha256(path))

    def add_code(self, root: Path, place: str, **properties: Any) -> Entity:
        """Add a file of the checkout at `root`, which lies as a copy in the crate."""
        path = root / place
        return self._add(str(path), f"{CODE}/{place}", sha256(path), **properties)

    def find(self, path: str, digest: str) -> Entity:
        """Return the file with these bytes; one that is not in the crate has a name and digest."""
        here = self._present.get(path)
        if here is not None and here["sha256"] == digest:
            return here
        identifier = self._urls.get(path, f"#file-{digest[:16]}")
        if identifier in self._crate:
            return self._crate.get(identifier)
        properties = {"name": Path(path).name, "sha256": digest, "encodingFormat": _format(path)}
        if path in self._urls:
            return self._crate.add_file(identifier, properties=properties)
        missing = {"@type": "CreativeWork", "description": f"Not in this crate; was {path}."}
        return self._crate.add(ContextEntity(self._crate, identifier, properties | missing))

    def _add(self, path: str, place: str, digest: str, **properties: Any) -> Entity:
        if path not in self._present:
            known = {"name": place, "sha256": digest, "encodingFormat": _format(path)}
            entity = self._crate.add_file(dest_path=place, properties=known | properties)
            self._present[path] = entity
        return self._present[path]


def _format(path: str) -> str:
    guessed = _FORMATS.get(Path(path).suffix) or mimetypes.guess_type(path)[0]
    return guessed or "application/octet-stream"
