"""The files of a crate: the results, a copy of the code, and files outside the crate."""

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from fedssl.files import digest, sha256

CODE = "code"
_MANY = 100  # more files outside the crate are described as one entity
# `mimetypes` does not know these formats, or differs between systems.
_FORMATS = {
    ".md": "text/markdown",
    ".npy": "application/octet-stream",
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".smk": "text/plain",
    ".yaml": "application/yaml",
}


class Files:
    """Adds the entities of files, and finds them by their paths in the records."""

    def __init__(self, crate: ROCrate, *, results: str, urls: Mapping[str, str]) -> None:
        """Start without files; `urls` are the addresses of files outside the crate."""
        self._crate = crate
        self._results = results
        self._urls = urls
        self._present: dict[str, Entity] = {}

    def add(self, path: str, value: str | None = None) -> Entity:
        """Add a file in the results folder; compute its SHA-256 if it is not given."""
        place = Path(path).relative_to(self._results).as_posix()
        return self._add(path, place, value or sha256(path))

    def add_code(self, root: Path, place: str, **properties: Any) -> Entity:
        """Add a file of the checkout at `root`, which the crate copies."""
        path = root / place
        return self._add(str(path), f"{CODE}/{place}", sha256(path), **properties)

    def find(self, files: Mapping[str, str]) -> list[Entity]:
        """Return the entities of files, given as path -> SHA-256.

        A file whose content has changed since counts as a file outside the crate. Many files
        outside the crate, such as a user's own recordings, are described as one entity.
        """
        here = {path: self._present[path] for path in files if self._is_here(path, files[path])}
        elsewhere = {path: value for path, value in files.items() if path not in here}
        if len(elsewhere) > _MANY:
            return [*here.values(), self._many(elsewhere)]
        return [
            here[path] if path in here else self._elsewhere(path, files[path]) for path in files
        ]

    def _is_here(self, path: str, value: str) -> bool:
        return path in self._present and self._present[path]["sha256"] == value

    def _many(self, files: Mapping[str, str]) -> Entity:
        # One entity, because a metadata file with thousands of files is slow to open.
        together = digest(dict(files))
        properties = {
            "@type": "CreativeWork",
            "name": f"{len(files)} files",
            "sha256": together,
            "description": "Not in this crate. The digest covers their paths and SHA-256 as JSON.",
        }
        return self._crate.add(ContextEntity(self._crate, f"#files-{together[:16]}", properties))

    def _elsewhere(self, path: str, value: str) -> Entity:
        identifier = self._urls.get(path, f"#file-{value[:16]}")
        if identifier in self._crate:
            return self._crate.get(identifier)
        properties = {"name": Path(path).name, "sha256": value, "encodingFormat": _format(path)}
        if path in self._urls:
            return self._crate.add_file(identifier, properties=properties)
        description = f"Not in this crate. The job read or wrote it as {path}."
        missing = {"@type": "CreativeWork", "description": description}
        return self._crate.add(ContextEntity(self._crate, identifier, properties | missing))

    def _add(self, path: str, place: str, value: str, **properties: Any) -> Entity:
        if path not in self._present:
            known = {"name": place, "sha256": value, "encodingFormat": _format(path)}
            entity = self._crate.add_file(dest_path=place, properties=known | properties)
            self._present[path] = entity
        return self._present[path]


def _format(path: str) -> str:
    guessed = _FORMATS.get(Path(path).suffix) or mimetypes.guess_type(path)[0]
    return guessed or "application/octet-stream"
