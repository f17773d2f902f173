"""Pin the checksum of archives whose owners publish none.

The SHA-256 of such an archive is recorded when its first bank was built, in a file to commit. From
then on every archive is compared with its pin. Pins are not part of any rule's params, so a
new pin does not rerun jobs.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from fedssl.data.settings import Archive
from fedssl.errors import UserError
from fedssl.files import sha256, write_text
from fedssl.grid.yaml_file import read_yaml
from fedssl.lease import hold, lease_of

_HEADER = """\
# SHA-256 of archives whose owners publish no checksum, as first fetched or found. Written by the
# workflow; commit it, and everyone who runs this checkout gets the same bytes or an error.
# To accept another archive, remove its line.
"""
_FORM = "a line must be <dataset>/<file>: sha256:<64 hex digits>"
_PIN = re.compile("sha256:[0-9a-f]{64}")
# Seconds to wait for others, which each need the file for a moment.
_WAIT_S = 600.0


@dataclass(frozen=True)
class DatasetArchive(Archive):
    """An archive and the dataset that declares it.

    Attributes:
        dataset: name of the dataset.
        pinned_in: file that pins the checksum; empty if it is declared or unknown.
    """

    dataset: str
    pinned_in: str = ""

    @property
    def name(self) -> str:
        """The name of the archive in the mirror and among the pins."""
        return f"{self.dataset}/{self.file}"

    @property
    def is_pinnable(self) -> bool:
        """Whether the checksum must be pinned on first use."""
        # An archive without an address is a list or folder that users maintain themselves. It may
        # change at any time, so its checksum must not be pinned.
        return self.checksum is None and bool(self.urls)


def with_pin(archive: DatasetArchive, pins: Path) -> DatasetArchive:
    """Return the archive with its pinned checksum; unchanged if it has none."""
    pinned = read_pins(pins).get(archive.name) if archive.is_pinnable else None
    return replace(archive, checksum=pinned, pinned_in=str(pins)) if pinned else archive


def pin(archive: DatasetArchive, pins: Path, *, path: Path) -> None:
    """Pin the file at `path`, unless the archive has a declared checksum or a pin.

    Raises:
        UserError: the archive is already pinned to other bytes.
    """
    if not archive.is_pinnable:
        return
    name, found = archive.name, f"sha256:{sha256(path)}"
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
        UserError: the file is not YAML, pins an archive twice, or a line is not a pin.
    """
    try:
        known, lines = read_yaml(pins.read_text(encoding="utf-8"), str(pins))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{pins} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{pins} is not YAML: {error}; save it as UTF-8") from error
    if not isinstance(known, dict | None):
        raise UserError(f"{pins} has {known!r}; {_FORM}")
    for name, value in (known or {}).items():
        if not _is_pin(value):
            raise UserError(f"{pins}: {name} is {value!r}; {_FORM} (line {lines[name,]})")
    return known or {}


def _is_pin(value: object) -> bool:
    return isinstance(value, str) and bool(_PIN.fullmatch(value))


@contextlib.contextmanager
def _locked(pins: Path) -> Iterator[None]:
    """Hold the lease of the pin file."""
    with hold(lease_of(pins), what=str(pins), wait=_WAIT_S):
        yield
