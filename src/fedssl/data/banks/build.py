"""A dataset's archives to its bank."""

import contextlib
import pkgutil
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from fedssl.data import own, readers
from fedssl.data.banks.bank import Modality
from fedssl.data.banks.members import Member
from fedssl.data.banks.partial_bank import open_partial_bank
from fedssl.data.banks.writer import HEADER_BYTES, write_bank
from fedssl.data.fetch.manual_files import files_fingerprint
from fedssl.errors import UserError
from fedssl.files import digest
from fedssl.progress import MemberProgress


class Reader(Protocol):
    """A module of `fedssl.data.readers`."""

    MODALITY: Modality

    def read(self, archives: Mapping[str, Path]) -> Iterator[Member]:
        """Yield every labelled member of the archives, keyed as in the datasets file."""


def get_reader(dataset: str) -> Reader:
    """Return the reader of `dataset`: the module of its name; UserError if there is none."""
    known = sorted(module.name for module in pkgutil.iter_modules(readers.__path__))
    name = dataset.replace("-", "_")
    if name not in known:
        listed = ", ".join(reader.replace("_", "-") for reader in known)
        raise UserError(f"there is no reader for {dataset!r}; there are readers for {listed}")
    return cast(Reader, import_module(f"{readers.__name__}.{name}"))


def build_bank(
    dataset: str,
    archives: Mapping[str, Path],
    folder: Path,
    *,
    entry: Mapping[str, Any],
    state: Path | None = None,
    threads: int = 1,
    progress: MemberProgress | None = None,
) -> dict[str, Any]:
    """Read the archives of `dataset` into a bank in `folder`; returns what bank.json says.

    Args:
        dataset: its name.
        archives: archive key -> path of the verified file; of the user's own files, their kind
            (folder or table) -> its path.
        folder: where the bank goes.
        entry: its entry in the datasets file: classes, splits and max_bad_share are checked.
            `own` says how the user's own files are read.
        state: folder that keeps what is done, for a run to go on where one was killed, and that
            belongs to this version of the code; None to keep nothing.
        threads: that decode.
        progress: told of every member.

    Raises:
        UserError: no reader, damaged archives, or contents other than the declared ones.
    """
    members, modality = _members(dataset, archives, entry)
    with contextlib.ExitStack() as stack:
        if state is None:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = tempfile.TemporaryDirectory(dir=folder, prefix=".")
            state = Path(stack.enter_context(temporary)) / "partial"
        key = digest([[name, files_fingerprint(archives[name])] for name in sorted(archives)])
        partial = stack.enter_context(open_partial_bank(state, key=key, start=HEADER_BYTES))
        facts = write_bank(
            members,
            folder,
            dataset=dataset,
            modality=modality,
            num_classes=entry["classes"],
            counts=entry["splits"],
            max_bad_share=entry["max_bad_share"],
            unverified=entry.get("unverified", ()),
            partial=partial,
            threads=threads,
            progress=progress,
        )
        shutil.rmtree(state)
    return facts


def _members(
    dataset: str, archives: Mapping[str, Path], entry: Mapping[str, Any]
) -> tuple[Iterator[Member], Modality]:
    if "own" not in entry:
        reader = get_reader(dataset)
        return reader.read(archives), reader.MODALITY
    # By name, so that its code counts for banks of own files only.
    module = import_module(f"{own.__name__}.read")
    return module.read(entry["own"], archives[entry["own"]["kind"]]), entry["own"]["modality"]
