"""How fast a batch is read from a cold disk: `python benchmarks/reading.py [--clips 3000]`.

Crops of 2 s out of clips of 10 s, as fssuavl trains on, read as training reads them and through a
memory map. The page cache of the file is dropped before each read, and the kernel counts the
bytes that come from the disk. Runs are interleaved; the figures are medians.

Targets: 256 cold crops in 0.08 s, and at most 1.3 times the wanted bytes from the disk.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np

from fedssl.data.banks.rows import FileRows, MemoryRows, Rows
from fedssl.randomness import stream
from fedssl.views.audio import crop_waveforms

BATCH, CLIP, CROP = 256, 160_000, 32_000
RUNS = 5


def write_waveforms(path: Path, *, clips: int) -> None:
    """Write a file of clips of noise and flush it, so that its pages can be dropped."""
    rng = stream(0, "benchmark")
    file = np.lib.format.open_memmap(path, "w+", dtype=np.int16, shape=(clips * CLIP,))
    for start in range(0, len(file), 100 * CLIP):
        part = file[start : start + 100 * CLIP]
        part[:] = rng.integers(-9999, 9999, len(part), dtype=np.int16)
    file.flush()


def drop_pages(path: Path) -> None:
    """Drop the file's pages from the page cache."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def bytes_read() -> int:
    """Return the bytes that this process has caused to be read from disks."""
    fields = (line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(dict(fields)["read_bytes"])


def read_cold(path: Path, *, clips: int) -> None:
    """Print each way's seconds and bytes for a batch of crops, cold and then warm."""
    ways: dict[str, Callable[[], Rows]] = {
        "positional reads": lambda: FileRows(path),
        "memory map": lambda: MemoryRows(np.load(path, mmap_mode="r")),
    }
    rng = stream(1, "benchmark")
    cold: dict[str, list[float]] = {name: [] for name in ways}
    warm: dict[str, list[float]] = {name: [] for name in ways}
    share: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        chosen = rng.choice(clips, BATCH, replace=False)
        spans = np.stack([chosen * CLIP, (chosen + 1) * CLIP], axis=1)
        seed = int(rng.integers(1 << 30))
        for name, opened in ways.items():
            # Pages that a map still holds are not dropped, so each run has a map of its own.
            drop_pages(path)
            rows = opened()
            before = bytes_read()
            cold[name].append(crop_seconds(rows, spans, seed=seed))
            share[name].append((bytes_read() - before) / (BATCH * CROP * 2))
            warm[name].append(crop_seconds(rows, spans, seed=seed))
            del rows
    print(f"\n{BATCH} crops of 2 s, {clips * CLIP * 2 / 1e9:.1f} GB of sound")
    print(f"  {'':24s} {'cold s':>8s} {'bytes / wanted':>15s} {'warm s':>8s}")
    for name in ways:
        middle = [statistics.median(kept[name]) for kept in (cold, share, warm)]
        print(f"  {name:24s} {middle[0]:8.3f} {middle[1]:15.2f} {middle[2]:8.3f}")


def crop_seconds(rows: Rows, spans: np.ndarray, *, seed: int) -> float:
    """Return the seconds that random crops of these clips take."""
    started = time.perf_counter()
    crop_waveforms(rows, spans, length=CROP, rng=stream(seed, "crops"))
    return time.perf_counter() - started


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--folder", help="on the disk to measure; by default a temporary one")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "waveforms.npy"
        write_waveforms(path, clips=options.clips)
        read_cold(path, clips=options.clips)


if __name__ == "__main__":
    main()
