"""Pin the checksum of archives whose owners publish none.

The SHA-256 of such an archive is recorded when it is first fetched or found, in a file to commit.
From then on every archive is compared with its pin. Pins are not part of any rule's params, so a
new pin does not rerun jobs.
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
    """Return the archive with its pinned checksum as `checksum` and the pin file as `pinned_in`.

    An archive without a pin is returned unchanged.
    """
    pinned = read_pins(pins).get(_name(archive, dataset)) if _is_pinnable(archive) else None
    return {**archive, "checksum": pinned, "pinned_in": str(pins)} if pinned else dict(archive)


def pin(archive: Mapping[str, Any], pins: Path, *, dataset: str, path: Path) -> None:
    """Pin the file at `path`, unless the archive has a declared checksum or a pin.

    Raises:
        UserError: the archive is already pinned to other bytes.
    """
    if not _is_pinnable(archive):
        return
    name, found = _name(archive, dataset), f"sha256:{sha256(path)}"
    with _locked(pins):
        # Read under the lock: another process may have pinned the archive in the meantime.
        known = read_pins(pins)
        if known.setdefault(name, found) != found:
            raise UserError(
                f"{path} has {found}, and {pins} pins {known[name]}; delete the file, or remove "
                f"the line of {name} from the pins to accept the file"
            )
        write_text(pins, _HEADER + yaml.safe_dump(known, width=200))


def read_pins(pins: Path) -> dict[str, str]:
    """Return `<dataset>/<file>` -> checksum; empty if there is no pin file.

    Raises:
        UserError: the file is not YAML, or a line is not a pin.
    """
    try:
        known = yaml.safe_load(pins.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{pins} is not YAML ({error}); correct or delete it") from error
    wrong = known if not isinstance(known, dict) else [n for n in known if not _is_pin(known[n])]
    if wrong:
        raise UserError(
            f"{pins}: {wrong} is not a pin; a line must be <dataset>/<file>: sha256:<64 hex digits>"
        )
    return dict(known)


def _is_pin(value: object) -> bool:
    return isinstance(value, str) and bool(_PIN.fullmatch(value))


def _is_pinnable(archive: Mapping[str, Any]) -> bool:
    # An archive without an address is a list or folder that users maintain themselves. It may
    # change at any time, so its checksum must not be pinned.
    return archive["checksum"] is None and bool(archive["urls"])


def _name(archive: Mapping[str, Any], dataset: str) -> str:
    return f"{dataset}/{archive['file']}"


@contextlib.contextmanager
def _locked(pins: Path) -> Iterator[None]:
    """Hold the lock of the pin file; the kernel releases it when the process ends."""
    pins.parent.mkdir(parents=True, exist_ok=True)
    with (pins.parent / f".{pins.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
