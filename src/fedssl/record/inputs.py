"""The inputs of a job: hashed before it begins, and held to be the same when it ends.

A file of the workflow's own must also be the one that its job wrote.
"""

from collections.abc import Iterable
from pathlib import Path

from fedssl.errors import UserError
from fedssl.files import sha256
from fedssl.grid.paths import RECORD
from fedssl.publishing import add_verified, forget_verified, verified_files
from fedssl.record.read import record_behind

_State = tuple[int, ...]
_SAMPLES = ("images.npy", "waveforms.npy")


class Inputs:
    """The files that a job reads, all files in folders among them included."""

    def __init__(self, names: Iterable[str], *, judged: bool = False) -> None:
        """Hash the files.

        Raises:
            UserError: a file has other content than its job wrote, and is not `judged` later.
        """
        forget_verified()
        self._names = [name for name in names if not _is_samples(name)]
        # The state before the hash: a change in between shows in the next state.
        self._found = {file: (_state(file), sha256(file)) for file in files_of(self._names)}
        if not judged:
            for file, (_, own) in self._found.items():
                if not file.endswith(RECORD):  # no record lists another
                    _check_written(file, own)

    @property
    def found(self) -> dict[str, str]:
        """The SHA-256 of each input when the job began, without the arrays of banks."""
        return {file: own for file, (_, own) in self._found.items()}

    def digests(self, further: Iterable[str] = ()) -> dict[str, str]:
        """Return the SHA-256 of each input, and of `further` files that the job found itself.

        The arrays of banks that the job has read are among them. They were verified as they were
        read, so they are not hashed again.

        Raises:
            UserError: an input has another content than when the job began, or is gone.
        """
        now = set(files_of(self._names))
        changed = now ^ self._found.keys() or {file for file in now if not self._same(file)}
        if changed:
            raise UserError(
                f"{min(changed)} was changed while this job ran, so its result would belong to no "
                "state of its inputs; run again."
            )
        found = verified_files() | self.found
        return found | {f: sha256(f) for f in files_of(further) if f not in found}

    def _same(self, file: str) -> bool:
        state, own = self._found[file]
        # Hash again only where something happened to the file, be it a new link to it.
        return state == _state(file) or sha256(file) == own


def verified(file: str | Path) -> Path:
    """Return a file that a job finds by itself, such as next to an input, for the job's record.

    Raises:
        UserError: the file has other content than its job wrote.
    """
    own = sha256(file)
    _check_written(str(file), own)
    add_verified(str(file), own)
    return Path(file)


def _is_samples(name: str) -> bool:
    """Return whether a file has the samples of a bank, which are verified as they are read."""
    path = Path(name)
    return path.name in _SAMPLES and path.with_name("bank.json").is_file()


def files_of(names: Iterable[str]) -> list[str]:
    """Return the files among the names, and all files of the folders among them."""
    return list(dict.fromkeys(file for name in names for file in _files(name)))


def _check_written(file: str, own: str) -> None:
    record = record_behind(file)
    # A record that was changed itself says nothing; the audit finds it.
    if record and record.content["outputs"][file] != own and record.intact:
        raise UserError(
            f"{file} has other content than its job wrote, by {record.path}; `fedssl repair` finds "
            "all such files and says how to make them again."
        )


def _files(name: str) -> list[str]:
    # Hidden files are skipped: Snakemake puts a marker with a time stamp into output folders.
    if not Path(name).is_dir():
        return [name]
    return sorted(str(path) for path in Path(name).rglob("[!.]*") if path.is_file())


def _state(file: str) -> _State:
    """Return what changes when a file is written, also if its old times are put back."""
    try:
        found = Path(file).stat()
    except FileNotFoundError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
