"""Time banking against plain loops of soundfile and Pillow over the same archives; peak memory too.

PYTHONPATH=src python benchmarks/bank.py ../shared/data/esc10/ESC-10-master.zip \
    --dataset esc10 --key clips --workers 1 2

The CPU seconds of the main process bound what more workers can give: it alone reads the archive and
writes the bank.
"""

import argparse
import functools
import io
import multiprocessing
import os
import resource
import statistics
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from PIL import Image

from fedssl.data.banks.build import build_bank, get_reader

Entry = Mapping[str, Any]

SOUNDS, PICTURES = (".wav", ".ogg", ".flac"), (".jpeg", ".jpg", ".png")


def plain(archive: Path, folder: Path) -> int:
    """Decode every sound or picture of an archive to 16 kHz or RGB, and append it to a file."""
    count = 0
    with (folder / "plain").open("wb") as file:
        for name, data in _members(archive):
            if name.lower().endswith(SOUNDS):
                waveform, rate = soundfile.read(io.BytesIO(data), dtype="float32")
                clip = soxr.resample(waveform, rate, 16_000) if rate != 16_000 else waveform
                file.write((clip * 32_767).astype(np.int16).tobytes())
            else:
                file.write(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).tobytes())
            count += 1
    return count


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    wanted = (*SOUNDS, *PICTURES)
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as file:
            yield from ((n, file.read(n)) for n in file.namelist() if n.lower().endswith(wanted))
        return
    with tarfile.open(archive) as tar:
        for entry in tar:
            if entry.name.lower().endswith(wanted):
                yield entry.name, tar.extractfile(entry).read()  # type: ignore[union-attr]


def ours(archive: Path, folder: Path, *, workers: int, dataset: str, key: str, entry: Entry) -> int:
    """Bank the archive as the workflow does: checked, hashed, resumable."""
    facts = build_bank(dataset, {key: archive}, folder / "bank", entry=entry, workers=workers)
    return sum(facts["counts"].values())


def lenient_entry(dataset: str, key: str, archive: Path) -> Entry:
    """Return an entry that takes the archive as it is."""
    members = list(get_reader(dataset).read({key: archive}))
    classes = len({member.label for member in members})
    splits = dict.fromkeys((member.split for member in members), None)
    return {"classes": classes, "splits": splits, "max_bad_share": 1.0}


class Run(NamedTuple):
    """A task in a process of its own: members, seconds, and peak memory of all processes."""

    members: int
    wall: float
    main_cpu: float
    all_cpu: float
    megabytes: float


def measured(task: Callable[..., int], archive: Path) -> Run:
    """Run a task."""
    import pandas  # noqa: F401  half a second on pyarrow's first use, whatever the archive's size

    with tempfile.TemporaryDirectory() as folder:
        began, busy = time.perf_counter(), time.process_time()
        count = task(archive, Path(folder))
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    own, workers = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # The maximum of the workers, not their sum.
    megabytes = max(own.ru_maxrss, workers.ru_maxrss) / 1024
    return Run(count, seconds, cpu, cpu + workers.ru_utime + workers.ru_stime, megabytes)


def main() -> None:
    """Print members a second, the ratio to the plain loop, and peak memory; runs take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    given = {"dataset": args.dataset, "key": args.key}
    entry = lenient_entry(args.dataset, args.key, args.archive)
    tasks: dict[str, Callable[..., int]] = {"plain loop": plain}
    for workers in args.workers:
        name = f"bank, {workers} worker{'s'[: workers != 1]}"
        tasks[name] = functools.partial(ours, workers=workers, entry=entry, **given)
    found: dict[str, list[Run]] = {name: [] for name in tasks}
    for _ in range(args.runs):
        for name, task in tasks.items():
            # Processes of a Pool must not start processes.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                found[name].append(pool.submit(measured, task, args.archive).result())
    print(f"{args.dataset}, load {os.getloadavg()[0]:.1f}")
    middle = {name: Run(*map(statistics.median, zip(*found[name], strict=True))) for name in tasks}
    plain_wall = middle["plain loop"].wall
    for name, run in middle.items():
        main, every = (1e6 * cpu / run.members for cpu in (run.main_cpu, run.all_cpu))
        print(
            f"  {name:18s}{run.members / run.wall:7.0f} /s {plain_wall / run.wall:6.2f} x plain"
            f"{main:8.0f} us CPU of the main process, {every:.0f} of all{run.megabytes:6.0f} MB"
        )


if __name__ == "__main__":
    main()
