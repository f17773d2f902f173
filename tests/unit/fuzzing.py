"""Small complete datasets, ways to damage their archives, and what must hold afterwards."""

import contextlib
import functools
import io
import resource
import signal
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fedssl.data.banks.build import build_bank, get_reader
from fedssl.data.made_up.archives import write_archives
from fedssl.errors import UserError
from tests.unit.archives import archive_paths
from tests.unit.sounds import CLIP, CLIPS, annotated, encoded, tone
from tests.unit.test_readers_advance import advance_zips
from tests.unit.test_readers_epic_sounds import archives as epic_archives
from tests.unit.test_readers_epic_sounds import row as epic_row
from tests.unit.test_readers_tasks import dov_zip, nsynth_archives

SECONDS = 20
MEMORY_BYTES = 1 << 30
MARKER = "owned"

_PLANS = {
    "tiny-imagenet": (2, {"train": 4, "validation": 2}),
    "cifar10": (2, {"train": 10, "test": 2}),
    "mnist": (2, {"train": 4, "test": 2}),
    "fsdd": (2, {"train": 4, "test": 2}),
    "speech-commands": (2, {"train": 2, "validation": 2, "test": 2}),
    "esc10": (2, {"train": 2, "test": 2}),
}
_KINDS = ("folder", "tar", "tar.gz", "zip")
SEEDS = (
    *_PLANS,
    *("nsynth", "dov", "advance-vision", "advance-sound", "epic-wav", "epic-hdf5"),
    *(f"vggsound-{kind}" for kind in _KINDS),
)


class TooLateError(BaseException):
    """Not an Exception: the code under test could take that for a damaged file."""


class Damaged(dict[str, bytes]):
    """Files by their relative path, shown by their sizes."""

    def __repr__(self) -> str:
        return ", ".join(f"{name}: {len(data)} bytes" for name, data in self.items())


@dataclass(frozen=True)
class Seed:
    """A dataset that can be read without error: its name, and its files by relative path."""

    dataset: str
    archives: Mapping[str, str]
    files: Mapping[str, bytes]
    entry: Mapping[str, Any]


@functools.cache
def seed(name: str) -> Seed:
    """Return a small dataset: `vggsound-zip` is vggsound with its clips in a zip."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        dataset, paths = _write(name, folder)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        contents = {str(path.relative_to(folder)): path.read_bytes() for path in files}
        archives = {key: str(path.relative_to(folder)) for key, path in paths.items()}
        members = list(get_reader(dataset).read(paths))
        # Lenient, so that damage shows in a bank rather than in its counts.
        splits = dict.fromkeys((member.split for member in members), None)
        classes = len({member.label for member in members})
        entry = {"classes": classes, "splits": splits, "max_bad_share": 1.0}
        build_bank(dataset, paths, folder / "bank", entry=entry)  # loads what needs memory
    return Seed(dataset, archives, contents, entry)


def _write(name: str, folder: Path) -> tuple[str, Mapping[str, Path]]:
    if name in _PLANS:
        classes, splits = _PLANS[name]
        paths = archive_paths(name, folder)
        write_archives(name, paths, classes=classes, splits=splits, seed=0)
        return name, paths
    if name.startswith("vggsound"):
        clips = {f"{clip}.wav": CLIP for clip in CLIPS}
        return "vggsound", annotated(folder, _supplied(folder, clips, name.split("-")[1]))
    if name.startswith("epic"):
        return "epic-sounds", _epic(folder, hdf5=name.endswith("hdf5"))
    if name == "nsynth":
        return name, nsynth_archives(folder)
    if name == "dov":
        return name, dov_zip(folder, range(1, 4))
    key = name.removeprefix("advance-")
    return name, {key: advance_zips(folder)[key]}


def _supplied(folder: Path, clips: Mapping[str, bytes], kind: str) -> Path:
    path = folder / f"clips.{kind}"
    if kind == "zip":
        path.write_bytes(pack_zip([(name, data, {}) for name, data in clips.items()]))
    elif kind.startswith("tar"):
        members = [(name, data, {}) for name, data in clips.items()]
        path.write_bytes(pack_tar(members, mode="w:gz" if kind == "tar.gz" else "w"))
    else:
        path = folder / "clips"
        path.mkdir()
        for name, data in clips.items():
            (path / name).write_bytes(data)
    return path


def _epic(folder: Path, *, hdf5: bool) -> dict[str, Path]:
    rows = [epic_row("a", 0, 2_400), epic_row("b", 2_400, 4_800, "metal")]
    paths = epic_archives(folder, rows, [epic_row("c", 100, 2_000)])
    sound = tone(440, seconds=0.3, rate=24_000)
    if hdf5:
        with h5py.File(folder / "audio" / "a.hdf5", "w") as file:
            file.create_dataset("P01_11", data=sound.astype(np.float32), chunks=True)
        return paths
    (folder / "audio" / "P01_11.wav").write_bytes(encoded(sound, rate=24_000))
    return paths


Entry = tuple[str, bytes, dict[str, Any]]


def pack_zip(members: list[Entry]) -> bytes:
    """Return a zip of (name, bytes, attributes of ZipInfo) members, double names and all."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data, attributes in members:
            info = zipfile.ZipInfo(name.encode(errors="replace").decode())
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
            for attribute, value in attributes.items():
                setattr(info, attribute, value)  # in time for the central directory
    return buffer.getvalue()


def pack_tar(members: list[Entry], *, mode: str = "w:gz") -> bytes:
    """Return a tar of (name, bytes, attributes of TarInfo) members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data, attributes in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            archive.addfile(info)
            archive.fileobj.write(data + bytes(-len(data) % 512))
            archive.offset += len(data) + -len(data) % 512
    return buffer.getvalue()


def unpacked(data: bytes) -> list[Entry] | None:
    """Return the members of a zip or tar, or None if it is neither."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(name, archive.read(name), {}) for name in archive.namelist()]
    if data[:2] == b"\x1f\x8b" or data[257:262] == b"ustar":
        with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(data)) as tar:
            files = [(entry, tar.extractfile(entry)) for entry in tar if entry.isfile()]
            return [(entry.name, file.read(), {}) for entry, file in files if file]
    return None


def packed(members: list[Entry], like: bytes) -> bytes:
    """Return the members in a container of the same format as `like`."""
    if like[:2] == b"PK":
        return pack_zip(members)
    return pack_tar(members, mode="w:gz" if like[:2] == b"\x1f\x8b" else "w")


def survive(name: str, damaged: Mapping[str, bytes]) -> str:
    """Build a bank from a seed with `damaged` files in place of its own; return how it ended.

    Asserts that it ended in time and memory, with a bank or with a UserError that names the file
    or the data set, and that nothing was written outside the bank's folder.
    """
    whole = seed(name)
    with tempfile.TemporaryDirectory(dir=_scratch()) as root:
        folder = Path(root)
        for file, data in {**whole.files, **damaged}.items():
            (folder / "in" / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / "in" / file).write_bytes(data)
        archives = {key: folder / "in" / file for key, file in whole.archives.items()}
        before = _listed(folder / "in")
        with contextlib.chdir(folder / "in"), limited():
            ending = _ending(whole, archives, folder / "bank")
        assert _listed(folder / "in") == before
        assert {path.name for path in folder.iterdir()} <= {"in", "bank"}
    return ending


def _ending(whole: Seed, archives: Mapping[str, Path], folder: Path) -> str:
    try:
        facts = build_bank(whole.dataset, archives, folder, entry=whole.entry)
    except UserError as error:
        known = [whole.dataset, *whole.archives.values(), *map(Path.as_posix, archives.values())]
        assert any(name in str(error) for name in known), f"names no file: {error}"
        return "refused"
    return "bad members" if facts["bad"] else "absent members" if "absent" in facts else "bank"


def _scratch() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _listed(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise TooLateError after a while, and MemoryError beyond one more gigabyte."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    previous = signal.signal(signal.SIGALRM, _too_late)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _too_late(*_: Any) -> None:
    raise TooLateError(f"it took more than {SECONDS} s")
