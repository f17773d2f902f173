"""Checksums of archives whose owners publish none: as first seen here, in a file to commit.

A pin changes no rule's parameters, so it reruns nothing; it is held against an archive whenever
one is fetched or found in the data folder.
"""

import contextlib
import fcntl
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from fedssl.errors import UserError
from fedssl.files import sha256, write_text

_HEADER = """\
# SHA-256 of archives whose owners publish no checksum, as first fetched or found. Written by the
# workflow; commit it, and everyone who runs this checkout gets the same bytes or an error.
# To accept another archive, remove its line.
"""
_PIN = re.compile("sha256:[0-9a-f]{64}")


def with_pin(archive: Mapping[str, Any], pins: Path, *, dataset: str) -> dict[str, Any]:
    """Return an archive with its pinned checksum, and the file it comes from as `pinned_in`.

    Only an archive that has an address and no checksum can be pinned: lists that users write
    themselves may change.
    """
    pinned = read_pins(pins).get(_name(archive, dataset)) if _is_pinnable(archive) else None
    return {**archive, "checksum": pinned, "pinned_in": str(pins)} if pinned else dict(archive)


def pin(archive: Mapping[str, Any], pins: Path, *, dataset: str, path: Path) -> None:
    """Pin what lies at `path` if the archive can be pinned and is not yet.

    Raises:
        UserError: another process has pinned other bytes in the meantime.
    """
    if not _is_pinnable(archive):
        return
    name, found = _name(archive, dataset), f"sha256:{sha256(path)}"
    with _locked(pins):
        known = read_pins(pins)
        if known.setdefault(name, found) != found:
            raise UserError(
                f"{path} has {found}, and {pins} pins {known[name]}; delete the file, or that line"
            )
        write_text(pins, _HEADER + yaml.safe_dump(known, width=200))


def read_pins(pins: Path) -> dict[str, str]:
    """Return `<dataset>/<file>` -> checksum; empty without a file, UserError for a wrong one."""
    try:
        known = yaml.safe_load(pins.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{pins} is not YAML ({error}); mend or delete it") from error
    wrong = known if not isinstance(known, dict) else [n for n in known if not _is_pin(known[n])]
    if wrong:
        raise UserError(f"{pins}: {wrong} is no pin; a line is <dataset>/<file>: sha256:<64 hex>")
    return dict(known)


def _is_pin(value: object) -> bool:
    return isinstance(value, str) and bool(_PIN.fullmatch(value))


def _is_pinnable(archive: Mapping[str, Any]) -> bool:
    return archive["checksum"] is None and bool(archive["urls"])


def _name(archive: Mapping[str, Any], dataset: str) -> str:
    return f"{dataset}/{archive['file']}"


@contextlib.contextmanager
def _locked(pins: Path) -> Iterator[None]:
    """Hold the lock of the pin file, which dies with the process."""
    pins.parent.mkdir(parents=True, exist_ok=True)
    with (pins.parent / f".{pins.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
