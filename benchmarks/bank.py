"""Time banking against plain loops of soundfile and Pillow over the same archives; peak memory too.

PYTHONPATH=src python benchmarks/bank.py ../shared/data/fsdd/free-spoken-digit-dataset-master.zip \
    --dataset fsdd --key recordings --threads 1 2
"""

import argparse
import functools
import io
import multiprocessing
import resource
import statistics
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from PIL import Image

from fedssl.data.banks.build import build_bank, get_reader

Entry = Mapping[str, Any]
Run = tuple[int, float, float, float]

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


def ours(archive: Path, folder: Path, *, threads: int, dataset: str, key: str, entry: Entry) -> int:
    """Bank the archive as the workflow does: checked, hashed, resumable."""
    facts = build_bank(dataset, {key: archive}, folder / "bank", entry=entry, threads=threads)
    return sum(facts["counts"].values())


def lenient_entry(dataset: str, key: str, archive: Path) -> Entry:
    """Return an entry that takes the archive as it is."""
    members = list(get_reader(dataset).read({key: archive}))
    classes = len({member.label for member in members})
    splits = dict.fromkeys((member.split for member in members), None)
    return {"classes": classes, "splits": splits, "max_bad_share": 1.0}


def measured(task: Callable[..., int], archive: Path) -> Run:
    """Return items, wall and CPU seconds, and peak memory in MB of a task in its own process."""
    import pandas  # noqa: F401  half a second on pyarrow's first use, whatever the archive's size

    with tempfile.TemporaryDirectory() as folder:
        began, busy = time.perf_counter(), time.process_time()
        count = task(archive, Path(folder))
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    return count, seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print items a second, the ratio to the plain loop, and peak memory; runs take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    given = {"dataset": args.dataset, "key": args.key}
    entry = lenient_entry(args.dataset, args.key, args.archive)
    tasks: dict[str, Callable[..., int]] = {"plain loop": plain}
    for threads in args.threads:
        name = f"bank, {threads} threads"
        tasks[name] = functools.partial(ours, threads=threads, entry=entry, **given)
    found: dict[str, list[Run]] = {name: [] for name in tasks}
    for _ in range(args.runs):
        for name, task in tasks.items():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found[name].append(pool.apply(measured, (task, args.archive)))
    plain_wall, plain_cpu = (_median(found["plain loop"], position) for position in (1, 2))
    for name, runs in found.items():
        wall, cpu, memory = (_median(runs, position) for position in (1, 2, 3))
        count = runs[0][0]
        print(
            f"{args.dataset:16s}{name:18s}{count / wall:7.0f} /s {plain_wall / wall:5.2f} x plain"
            f"{count / cpu:7.0f} /CPU s {plain_cpu / cpu:5.2f} x plain{memory:6.0f} MB"
        )


def _median(runs: list[Run], position: int) -> float:
    return statistics.median(run[position] for run in runs)


if __name__ == "__main__":
    main()
