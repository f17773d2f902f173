"""Rows of a bank: positional reads give the values of the array, and read little else."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.rows import FileRows, MemoryRows, Rows
from fedssl.errors import UserError
from fedssl.randomness import stream
from fedssl.typed import typed
from fedssl.views.audio import crop
from fedssl.views.bank_views import Views, crop_clips, cut_windows
from fedssl.views.settings import Audio, ViewSettings
from tests.unit import banks
from tests.unit.federations import SETTINGS

# Shorter than a frame, as long, and longer.
LENGTHS = (3000, 8000, 20000, 40, 8001, 1)


def both(folder: Path) -> tuple[Rows, Rows, np.ndarray]:
    """Return the rows of a bank of sounds from its file and from memory, and the clips' spans."""
    banks.write(banks.clips(LENGTHS), folder)
    bank = open_bank(folder)
    assert bank.waveforms is not None and bank.offsets is not None
    spans = np.stack([bank.offsets[:-1], bank.offsets[1:]], axis=1)
    return bank.rows, MemoryRows(bank.waveforms), spans


@pytest.mark.parametrize("random", [True, False])
def test_crops_read_at_their_positions_are_those_of_the_array(random: bool, tmp_path: Path) -> None:
    in_file, in_memory, spans = both(tmp_path)
    batch = spans[stream(0, "batch").integers(len(spans), size=64)]
    found, expected = (
        crop(batch, length=8000, rng=stream(0, "crops") if random else None).read(rows)
        for rows in (in_file, in_memory)
    )
    assert np.count_nonzero(expected) > 1000
    np.testing.assert_array_equal(found, expected)


def test_windows_read_at_their_positions_are_those_of_the_array(tmp_path: Path) -> None:
    in_file, in_memory, _ = both(tmp_path)
    windows = np.array([[0, 10], [2995, 3005], [31000, 31000 + 8000], [5, 5]])
    np.testing.assert_array_equal(cut_windows(in_file, windows), cut_windows(in_memory, windows))


@pytest.mark.parametrize("wanted", [[3, 0, 5], [0, 1, 2, 3, 4, 5], [4, 5, 0, 1, 1, 2], [2], []])
def test_images_come_in_the_order_asked_for(wanted: list[int], tmp_path: Path) -> None:
    banks.write(banks.images(6), tmp_path)
    bank, indices = open_bank(tmp_path), np.array(wanted, dtype=np.int64)
    assert bank.images is not None
    np.testing.assert_array_equal(bank.rows.take(indices), bank.images[indices])


def test_neighbours_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    banks.write(banks.images(6), tmp_path)
    bank, reads, read = open_bank(tmp_path), [], os.preadv
    monkeypatch.setattr(os, "preadv", lambda *given: reads.append(given) or read(*given))
    bank.rows.take(np.array([1, 2, 3, 0, 4, 5]))
    assert len(reads) == 3


def test_a_read_that_returns_less_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file, in_memory, spans = both(tmp_path)
    read = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda file, to, at: read(file, [memoryview(to[0]).cast("B")[:1001]], at)
    )
    found, expected = (
        crop(spans, length=8000, rng=None).read(rows) for rows in (in_file, in_memory)
    )
    np.testing.assert_array_equal(found, expected)


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "waveforms.npy"
    np.save(path, np.arange(1000, dtype=np.int16))
    rows = FileRows(path)
    os.truncate(path, 1500)
    with pytest.raises(UserError, match=r"waveforms\.npy ends before byte 2128.*rerun the bank"):
        rows.copy([0], [np.empty(1000, np.int16)])


def test_the_file_is_closed_with_the_last_use(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    np.save(path, np.arange(10))
    before = len(os.listdir("/proc/self/fd"))
    rows = FileRows(path)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del rows
    assert len(os.listdir("/proc/self/fd")) == before


def test_views_of_a_bank_read_nothing_through_its_memory_map(tmp_path: Path) -> None:
    banks.write(banks.images(6, size=8), tmp_path / "image")
    banks.write(banks.clips([9000] * 6), tmp_path / "audio")
    settings = typed(ViewSettings, SETTINGS)
    for modality in ("image", "audio"):
        bank = open_bank(tmp_path / modality)
        views = Views(
            bank, settings, statistics={"mean": 0.0, "std": 1.0}, device=torch.device("cpu")
        )
        expected = views.augmented(np.arange(4), stream(0, "views"))
        # Zeros in the map alone: what is read from it would show.
        blank = open_bank(tmp_path / modality)
        for name in ("images", "waveforms"):
            if (array := getattr(blank, name)) is not None:
                object.__setattr__(blank, name, np.zeros_like(array))
        views = Views(
            blank, settings, statistics={"mean": 0.0, "std": 1.0}, device=torch.device("cpu")
        )
        assert torch.equal(views.augmented(np.arange(4), stream(0, "views")), expected)


def test_statistics_crop_the_bank_as_training_does(tmp_path: Path) -> None:
    in_file, _, spans = both(tmp_path)
    audio = typed(Audio, SETTINGS["audio"])  # type: ignore[arg-type]
    opened = open_bank(tmp_path)
    frames = crop_clips(opened, np.arange(3), audio=audio, rng=stream(0, "crops")).read(opened.rows)
    expected = crop(spans[:3], length=8000, rng=stream(0, "crops")).read(in_file)
    np.testing.assert_array_equal(frames, expected)
