"""Where a bank is read from: the same bits from everywhere, and a place that has room."""

import logging
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fedssl.data.banks import device_rows, placement
from fedssl.data.banks.bank import Bank, open_bank
from fedssl.data.banks.device_rows import DeviceRows
from fedssl.data.banks.placement import PlacedRows
from fedssl.data.banks.rows import FileRows, MemoryRows, Rows
from fedssl.data.plan import bank_contents
from fedssl.errors import UserError
from fedssl.federation.plan import pretrain_inputs, pretrain_settings
from fedssl.grid.cell import Cell
from fedssl.host_memory import available_bytes
from fedssl.randomness import stream
from fedssl.settings import Modality
from fedssl.typed import typed
from fedssl.views.fine_tune import FineTuneViews
from fedssl.views.settings import FineTuneAugmentation, ViewSettings
from tests.unit import banks
from tests.unit.federations import SETTINGS
from tests.unit.figures import shipped_plan

CPU = torch.device("cpu")
PLACES = {"disk": FileRows, "memory": MemoryRows, "device": DeviceRows}


def written(folder: Path, modality: Modality) -> Path:
    given = (
        banks.images(9, size=8) if modality == "image" else banks.clips([9000, 50, 8000, 20_000])
    )
    banks.write(given, folder)
    return folder


def opened(folder: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", place)
    bank = open_bank(folder, device=CPU)
    assert type(placed(bank)) is PLACES[place]
    return bank


def placed(bank: Bank) -> Rows:
    assert isinstance(bank.rows, PlacedRows)
    return bank.rows.rows


def all_views(bank: Bank) -> list[torch.Tensor]:
    """Return every kind of view of a bank."""
    views = FineTuneViews(
        bank, typed(ViewSettings, SETTINGS), statistics={"mean": -3.0, "std": 2.0}, device=CPU
    )
    rng, indices = stream(0, "views"), np.array([3, 1, 1, 2, 0])
    light = FineTuneAugmentation(crop=0.8, flip_probability=0.5)
    found = [views.augmented(indices, rng), views.plain(indices)]
    found.append(views.fine_tune(indices, rng, augmentation=light))
    if bank.modality == "audio":
        windows = np.array([[5, 4005], [9000, 9050], [17_050, 37_050], [0, 4000]])
        found.append(views.augmented_windows(windows, rng))
    return found


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_views_are_the_same_bits_from_every_place(
    modality: Modality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, modality)
    monkeypatch.setattr(device_rows, "_PART_BYTES", 500)
    expected = all_views(opened(tmp_path, "disk", monkeypatch))
    assert all(view.std() > 0 for view in expected)
    for place in ("memory", "device"):
        found = all_views(opened(tmp_path, place, monkeypatch))
        assert all(map(torch.equal, found, expected)) and len(found) == len(expected)


@pytest.mark.parametrize(
    ("wanted", "free", "place"),
    [
        ("auto", 2.0, "memory"),
        ("auto", 1.99, "disk"),
        ("disk", 9.0, "disk"),
        ("memory", 0.1, "memory"),
        ("device", 2.0, "device"),
        ("device", 1.99, "disk"),
    ],
)
def test_a_bank_takes_half_of_what_is_free(
    wanted: str,
    free: float,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    size = (written(tmp_path, "image") / "images.npy").stat().st_size
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", wanted)
    monkeypatch.setattr(placement, "available_bytes", lambda: int(free * size))
    caplog.set_level(logging.INFO)
    assert type(placed(open_bank(tmp_path, device=CPU))) is PLACES[place]
    said = {"device": "the memory of cpu"}.get(place, place)
    assert f"images.npy (0.00 GB) from {said} (" in caplog.text
    assert ("does not fit beside the model on cpu" in caplog.text) == (wanted == "device" != place)


def place_of(folder: Path) -> str:
    return type(placed(open_bank(folder, device=CPU))).__name__


def test_parallel_processes_share_the_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "image")
    monkeypatch.setenv("FEDSSL_BANKS_READ_FROM", "auto")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(place_of, tmp_path).result() == "FileRows"
    assert place_of(tmp_path) == "MemoryRows"


def test_a_bank_is_read_from_its_copy_on_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "bank", "audio")
    monkeypatch.setenv("NODE_DISK", str(tmp_path))
    monkeypatch.setenv("FEDSSL_BANKS_STAGING", "$NODE_DISK/node")
    bank = open_bank(folder, device=CPU)
    assert not (tmp_path / "node").exists(), "a process that reads nothing copies nothing"
    assert isinstance(placed(bank), FileRows)
    (copy,) = (tmp_path / "node").glob("*.npy")
    assert copy.read_bytes() == (folder / "waveforms.npy").read_bytes()
    expected = all_views(open_bank(folder, device=None))
    (folder / "waveforms.npy").write_bytes(bytes(copy.stat().st_size))
    assert all(map(torch.equal, all_views(bank), expected))


def test_where_a_bank_is_read_from_reruns_nothing() -> None:
    cell = Cell.parse("fssuavl/simclr/resnet18/fedavg/a0-i0-b100/base/seed0")
    changed = {"threads": 2, "read_from": "device", "staging": "/scratch"}
    plans = [shipped_plan(), shipped_plan(banks=changed)]
    for function in (pretrain_settings, pretrain_inputs):
        before, after = (function(plan, cell) for plan in plans)
        assert before == after
    before, after = (bank_contents(plan, SimpleNamespace(dataset="vggsound")) for plan in plans)
    assert before == after


def test_a_variable_that_a_node_does_not_have_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDSSL_BANKS_STAGING", "$NO_SUCH_DISK/node")
    with pytest.raises(UserError, match=r"banks\.staging is '\$NO_SUCH_DISK/node', .* no such"):
        placed(open_bank(written(tmp_path, "image"), device=CPU))


def files(root: Path, contents: dict[str, Any]) -> Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({}, 8_192_000),
        (
            {
                "proc/self/cgroup": "0::/slurm/job_1/step_0",
                "sys/fs/cgroup/slurm/job_1/step_0/memory.max": "max",
                "sys/fs/cgroup/slurm/job_1/step_0/memory.current": 9,
                "sys/fs/cgroup/slurm/job_1/memory.max": 5000,
                "sys/fs/cgroup/slurm/job_1/memory.current": 3000,
                "sys/fs/cgroup/slurm/job_1/memory.stat": "anon 2000\ninactive_file 700",
            },
            2700,
        ),
        (
            {
                "proc/self/cgroup": "9:name=systemd:/\n4:memory:/on/the/host\n0::/",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": 5000,
                "sys/fs/cgroup/memory/memory.usage_in_bytes": 4000,
                "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 300",
            },
            1300,
        ),
    ],
    ids=["no limit", "version 2", "version 1"],
)
def test_free_memory_is_what_the_tightest_limit_leaves(
    contents: dict[str, Any], expected: int, tmp_path: Path
) -> None:
    machine = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB"}
    assert available_bytes(files(tmp_path, machine | contents)) == expected
