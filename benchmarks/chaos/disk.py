"""Let the disk be full while jobs write, make room, and give the command again."""

import contextlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.chaos.clone import IMAGE_CELL, SOUND_CELL, Clone, Ended, limit_file_size
from benchmarks.chaos.finished import copied
from benchmarks.chaos.outcome import Fault, Journal, Outcome, judge, remains

from fedssl.grid.paths import RECORD

_MOUNT_BYTES = 64 << 20
# What is made again while there is no room: a file of the results, whose job's files are removed.
STAGES = {
    "a pretraining": f"pretrain/{SOUND_CELL}/model.safetensors",
    "a bank": "banks/tiny-imagenet/bank.json",
    "a score": f"evaluate/{IMAGE_CELL}/tiny-imagenet/knn.json",
}
_SHARES = (0.0, 0.3, 0.7, 0.95)  # of what was removed
_SAID = "cannot be written"


def full_disks(
    reference: Clone, expected: dict[str, str], folder: Path, *, seed: int, done: Journal
) -> Iterator[Fault]:
    """Yield a fault for each stage and each amount of room, on a file system of its own."""
    for stage, target in STAGES.items():
        for share in _SHARES:
            name = f"disk full in {stage}, room for {share:.0%}"
            if done.has(name):
                continue
            clone, room = _without(reference, target, folder / "full")
            limit = int(room * (share + random.Random(f"{seed} {name}").uniform(0, 0.04)))
            with mounted(folder / "disk", clone) as full:
                if full is None:
                    how = "RLIMIT_FSIZE, then lifted"
                    first = clone.start_again(prepare=partial(limit_file_size, limit)).wait()
                    yield _fault(name, how, clone, first, expected)
                else:
                    make_room = fill(folder / "disk", leaving=limit)
                    first = full.start_again().wait()
                    make_room()
                    yield _fault(name, "tmpfs, then room made", full, first, expected)


def _fault(name: str, how: str, clone: Clone, first: Ended, expected: dict[str, str]) -> Fault:
    ended = clone.again()
    outcome, detail = judge(clone, ended, expected)
    if first.code and _SAID not in first.printed:
        outcome, detail = max(outcome, Outcome.UNCLEAR), first.printed[-1500:]
    detail = detail or ("ended in order, said so" if first.code else "there was room enough")
    return Fault("disk full", how, name, outcome, detail=detail, left=remains(clone, ended))


def _without(reference: Clone, target: str, folder: Path) -> tuple[Clone, int]:
    """Return a copy of the finished run without what the job of a file wrote, and its bytes."""
    clone = copied(reference, folder).asking(f"{{results}}/{target}")
    record = (clone.folder / target).with_name(RECORD)
    outputs = json.loads(record.read_text())["outputs"]
    removed = [record, *(clone.root / name for name in outputs)]
    size = sum(path.stat().st_size for path in removed)
    for path in removed:
        path.unlink()
    return clone, size


@contextmanager
def mounted(mount: Path, clone: Clone) -> Iterator[Clone | None]:
    """Put a clone's results on a small file system; yield None where that is not allowed."""
    mount.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={_MOUNT_BYTES}"]
    if subprocess.run(["mount", *options, "tmpfs", mount], capture_output=True).returncode:
        yield None
        return
    try:
        moved = mount / "results"
        shutil.copytree(clone.folder, moved, symlinks=True)
        shutil.rmtree(clone.folder)
        # A link, so that names in records and in Snakemake's memory stay.
        clone.folder.symlink_to(moved)
        yield clone
    finally:
        subprocess.run(["umount", mount], check=True)


def fill(mount: Path, *, leaving: int) -> Callable[[], None]:
    """Fill the file system that is mounted at `mount`; return what makes room again.

    Raises:
        ValueError: Nothing is mounted there, so the machine's own disk would be filled.
    """
    if not mount.is_mount():
        raise ValueError(f"{mount} is no file system of its own, so it is not filled")
    path, free = mount / "fill", shutil.disk_usage(mount).free
    # The file's own index takes room, too: a little before the last block, the disk is full.
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(max(free - leaving, 0) >> 12):
            file.write(bytes(1 << 12))
    return path.unlink
