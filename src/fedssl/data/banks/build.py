"""Read a dataset's archives into a bank."""

import contextlib
import functools
import pkgutil
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fedssl.data import own, readers
from fedssl.data.banks.bank import Modality
from fedssl.data.banks.partial_bank import PartialBank, open_partial_bank
from fedssl.data.banks.settings import BankContents
from fedssl.data.banks.writer import HEADER_BYTES, write_bank
from fedssl.data.fetch.manual_files import files_fingerprint
from fedssl.data.samples import Encoded, Member, Sample, as_float
from fedssl.errors import UserError
from fedssl.files import digest
from fedssl.progress import MemberProgress
from fedssl.settings import SoundType
from fedssl.typed import typed


@runtime_checkable
class Reader(Protocol):
    """Interface of the dataset modules in `fedssl.data.readers`."""

    MODALITY: Modality

    def read(self, archives: Mapping[str, Path]) -> Iterator[Member]:
        """Yield every labelled member, given archive key -> path as in the datasets file."""


def get_reader(dataset: str) -> Reader:
    """Return the reader of a dataset, which is the module of the same name.

    Raises:
        UserError: there is no such module, or it is a helper of the readers.
    """
    known = [module.name for module in pkgutil.iter_modules(readers.__path__)]
    name = dataset.replace("-", "_")
    if name in known and (reader := _reader(name)):
        return reader
    listed = ", ".join(other.replace("_", "-") for other in sorted(filter(_reader, known)))
    raise UserError(f"there is no reader for {dataset!r}; the readers are {listed}")


def _reader(name: str) -> Reader | None:
    # Import the module by name, so that editing one reader reruns only the banks of its dataset.
    module = import_module(f"{readers.__name__}.{name}")
    return module if isinstance(module, Reader) else None


def build_bank(
    dataset: str,
    archives: Mapping[str, Path],
    folder: Path,
    *,
    entry: Mapping[str, Any],
    state: Path | None = None,
    workers: int = 1,
    progress: MemberProgress | None = None,
) -> dict[str, Any]:
    """Read the archives of `dataset` into a bank in `folder`; return the contents of bank.json.

    Args:
        dataset: name of the dataset.
        archives: archive key, or "folder" or "table" for own files -> path of the verified file.
        folder: folder of the bank.
        entry: what the bank must hold, see `BankContents`. Other keys are ignored.
        state: folder from which a killed build of the same code is resumed; None keeps nothing.
        workers: number of processes that decode; see `decode_members`.
        progress: reports every member.

    Raises:
        UserError: there is no reader, an archive is damaged, or the contents are not as declared.
    """
    contents = typed(BankContents, entry)
    members, modality = _members(dataset, archives, contents)
    if modality == "audio" and contents.dtype != "int16":
        members = map(functools.partial(_of_type, dtype=contents.dtype), members)
    with _partial_bank(state, archives, folder, dtype=contents.dtype) as partial:
        return write_bank(
            members,
            folder,
            dataset=dataset,
            modality=modality,
            num_classes=contents.classes,
            counts=contents.splits,
            max_bad_share=contents.max_bad_share,
            unverified=contents.unverified,
            sound=contents.dtype,
            partial=partial,
            workers=workers,
            progress=progress,
        )


@contextlib.contextmanager
def _partial_bank(
    state: Path | None, archives: Mapping[str, Path], folder: Path, *, dtype: SoundType
) -> Iterator[PartialBank]:
    """Open the partial bank in `state`, or in a temporary folder; remove it after a success."""
    # Resume only from a partial bank of the same archives. Path, size and time identify them:
    # hashing the archives again would take minutes.
    files = [[name, files_fingerprint(archives[name])] for name in sorted(archives)]
    key = digest([dtype, files])
    with contextlib.ExitStack() as stack:
        if state is None:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = tempfile.TemporaryDirectory(dir=folder, prefix=".")
            state = Path(stack.enter_context(temporary)) / "partial"
        yield stack.enter_context(open_partial_bank(state, key=key, start=HEADER_BYTES))
        # A build that fails does not get here, and keeps what it has decoded.
        shutil.rmtree(state)


def _members(
    dataset: str, archives: Mapping[str, Path], contents: BankContents
) -> tuple[Iterator[Member], Modality]:
    if contents.own is None:
        reader = get_reader(dataset)
        return reader.read(archives), reader.MODALITY
    # Import by name, so that editing this code reruns only the banks of users' own files.
    module = import_module(f"{own.__name__}.read")
    return module.read(contents.own, archives[contents.own.kind]), contents.own.modality


def _of_type(member: Member, *, dtype: SoundType) -> Member:
    """Return a member whose sound is not int16."""
    if isinstance(member, Encoded):
        return replace(member, decode=functools.partial(member.decode, dtype=dtype))
    # A reader that decodes sound itself, to cut it, does so as int16.
    return replace(member, data=as_float(member.data)) if isinstance(member, Sample) else member
