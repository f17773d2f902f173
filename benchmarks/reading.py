"""How well a cold disk feeds a GPU: `python benchmarks/reading.py [--clips 3000]`.

First, crops of 2 s out of clips of 10 s, as fssuavl trains on, read as training reads them and
through a memory map. The page cache of the file is dropped before each read, and the kernel counts
the bytes that come from the disk. Runs are interleaved; the figures are medians. Reads are also
verified: with all blocks verified before, as all jobs of a node but its first find them, and with
a thread that verifies the blocks meanwhile. `until verified` is the time until it has done so.
Targets: 256 cold crops in 0.08 s, and at most 1.3 times the wanted bytes from the disk.

Then the share of time that a GPU would be busy, if a step took it 60 ms: two augmented views of 256
cold samples, drawn ahead as training draws them on a GPU (with blocks verified before, and
meanwhile), drawn when they are due, and drawn when they are due through a memory map. The samples
are read, staged and handed over to torch's device `meta`, which holds no data. What the device
would compute, and launching it, is not in the figures.
Target: 95 %.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np
import torch
from noise_banks import CLIP, bank, write_images, write_waveforms
from views import shipped

from fedssl.ahead import ahead, steps_ahead
from fedssl.data.banks.bank import FILES, Modality
from fedssl.data.banks.block_hashes import ArrayHashes, array_hashes, file_facts
from fedssl.data.banks.rows import FileRows, MemoryRows, Rows
from fedssl.data.banks.verified import finish_all, remember_verified
from fedssl.randomness import stream
from fedssl.schema.config import CellSettings
from fedssl.views.audio import crop
from fedssl.views.bank_views import Drawn, Views

BATCH, CROP = 256, 32_000
RUNS = 5
STEPS, STEP_S = 20, 0.06


def mapped(path: Path) -> Rows:
    """Return the rows of a file through a memory map."""
    return MemoryRows(np.load(path, mmap_mode="r"))


def hashes_of(path: Path) -> ArrayHashes:
    """Return the hashes of a file, as its bank.json would have them."""
    return array_hashes({"dataset": "benchmark", **file_facts({path.name: path})}, path.name)


def verified(path: Path, hashes: ArrayHashes) -> Rows:
    """Return rows whose blocks are all verified."""
    remember_verified(path, hashes)
    return FileRows(path, hashes)


def unverified(path: Path, hashes: ArrayHashes) -> Rows:
    """Return rows without a verified block."""
    for marks in path.parent.glob(".verified-*/*"):
        marks.unlink()
    return FileRows(path, hashes)


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
    hashes = hashes_of(path)
    ways: dict[str, Callable[[], Rows]] = {
        "positional reads": lambda: FileRows(path),
        "... verified before": lambda: verified(path, hashes),
        "... verified meanwhile": lambda: unverified(path, hashes),
        "memory map": lambda: mapped(path),
    }
    rng = stream(1, "benchmark")
    cold: dict[str, list[float]] = {name: [] for name in ways}
    warm: dict[str, list[float]] = {name: [] for name in ways}
    share: dict[str, list[float]] = {name: [] for name in ways}
    until: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        chosen = rng.choice(clips, BATCH, replace=False)
        spans = np.stack([chosen * CLIP, (chosen + 1) * CLIP], axis=1)
        seed = int(rng.integers(1 << 30))
        for name, opened in ways.items():
            # Pages that a map still holds are not dropped, so each run has a map of its own.
            drop_pages(path)
            rows = opened()
            before, started = bytes_read(), time.perf_counter()
            cold[name].append(crop_seconds(rows, spans, seed=seed))
            finish_all()
            until[name].append(time.perf_counter() - started)
            share[name].append((bytes_read() - before) / (BATCH * CROP * 2))
            warm[name].append(crop_seconds(rows, spans, seed=seed))
            del rows
    print(f"\n{BATCH} crops of 2 s, {clips * CLIP * 2 / 1e9:.1f} GB of sound")
    heads = (("cold s", 8), ("bytes / wanted", 15), ("warm s", 8), ("until verified", 15))
    print(f"  {'':24s} " + " ".join(f"{head:>{width}s}" for head, width in heads))
    for name in ways:
        middle = [statistics.median(kept[name]) for kept in (cold, share, warm, until)]
        print(f"  {name:24s} {middle[0]:8.3f} {middle[1]:15.2f} {middle[2]:8.3f} {middle[3]:15.3f}")


def crop_seconds(rows: Rows, spans: np.ndarray, *, seed: int) -> float:
    """Return the seconds that random crops of these clips take."""
    started = time.perf_counter()
    crop(spans, length=CROP, rng=stream(seed, "crops")).read(rows)
    return time.perf_counter() - started


class StandIn:
    """A device that takes `STEP_S` for a step, and lets the CPU be one step ahead of it."""

    def __init__(self) -> None:
        """Start idle."""
        self._begun = self._free = time.perf_counter()
        self.steps = 0

    def step(self) -> None:
        """Queue a step; wait until the one before has ended, as a full queue does."""
        before = self._free
        self._free = max(time.perf_counter(), self._free) + STEP_S
        self.steps += 1
        time.sleep(max(before - time.perf_counter(), 0.0))

    def share_busy(self) -> float:
        """Return the share of time that the device was busy since it began."""
        return self.steps * STEP_S / (self._free - self._begun)


def feed(folder: Path, modality: Modality, settings: CellSettings, *, clips: int) -> None:
    """Print the share of time that a device is busy with steps on a cold bank."""
    path = folder / FILES[modality][0]
    hashes = hashes_of(path)
    shares: dict[str, list[float]] = {}
    for run in range(3):
        for name, device, rows in (
            ("drawn ahead", torch.device("meta"), verified(path, hashes)),
            ("... verified meanwhile", torch.device("meta"), unverified(path, hashes)),
            ("drawn when due", torch.device("cpu"), FileRows(path)),
            ("when due, memory map", torch.device("cpu"), mapped(path)),
        ):
            views = Views(
                bank(path, modality, rows, clips=clips),
                settings,
                statistics={"mean": -3.0, "std": 2.0},
                device=device,
            )
            depth = steps_ahead(device)
            shares.setdefault(name, []).append(share_busy(views, path, depth=depth, run=run))
            finish_all()
    print(f"\n{modality}: share of time that a device with steps of {STEP_S * 1000:.0f} ms is busy")
    for name, found in shares.items():
        print(f"  {name:24s} {100 * statistics.median(found):6.1f} %")


def share_busy(views: Views, path: Path, *, depth: int, run: int) -> float:
    """Return the share of time that a device is busy with steps on these views."""
    draws = stream(run, "benchmark views")

    def drawn() -> Iterator[list[Drawn]]:
        # One more than is measured: the first fills the pipeline.
        for _ in range(STEPS + 1):
            drop_pages(path)
            indices = draws.choice(len(views.bank), BATCH, replace=False)
            yield [views.draw(indices, draws) for _ in range(2)]

    with ahead(drawn(), depth=depth) as steps:
        hand_over(views, next(steps))
        device = StandIn()
        for step in steps:
            hand_over(views, step)
            device.step()
    return device.share_busy()


def hand_over(views: Views, step: Sequence[Drawn]) -> None:
    """Wait until the samples of a step are read, and copy them and their numbers to the device."""
    for view in step:
        views.on_device(view.samples)
        if view.numbers is not None:
            views.on_device(view.numbers)


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
        write_images(Path(folder) / "images.npy", images=20 * options.clips)
        feed(Path(folder), "image", shipped(), clips=options.clips)
        feed(Path(folder), "audio", shipped(), clips=options.clips)


if __name__ == "__main__":
    main()
