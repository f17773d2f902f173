"""Decoding in processes: the same members in the same order, and clear errors."""

import functools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedssl.data.banks import decoding
from fedssl.data.banks.build import build_bank
from fedssl.data.banks.decoding import decode_members
from fedssl.data.samples import (
    AbsentMember,
    BadMember,
    Decoded,
    Encoded,
    Member,
    Sample,
    UnreadableError,
)
from fedssl.errors import OutOfMemory
from tests.unit.archives import SMALL, synthetic_archives
from tests.unit.banks import contents

MEGABYTE = 1 << 19  # int16 samples


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start workers after the first member, with batches of few members."""
    monkeypatch.setattr(decoding, "_ALONE_S", 0.0)
    monkeypatch.setattr(decoding, "_SECONDS_PER_BYTE", 0.0)
    monkeypatch.setattr(decoding, "_BATCH_S", 0.003)


def decode(content: bytes) -> np.ndarray:
    if content == b"3":
        raise UnreadableError("it is cut short")
    sum(range(50_000))  # about a millisecond
    return np.full(int(content) + 1, int(content), np.int16)


def decode_large(content: bytes) -> np.ndarray:
    return np.full(20 * MEGABYTE, int(content), np.int16)


def decode_wrongly(_: bytes) -> np.ndarray:
    raise ZeroDivisionError


def die(_: bytes) -> np.ndarray:
    if multiprocessing.parent_process():
        os.kill(os.getpid(), signal.SIGKILL)
    return np.zeros(1, np.int16)


def damaged() -> bytes:
    raise UnreadableError("its bytes are damaged")


def encoded(position: int, decode: Callable[[Any], np.ndarray] = decode) -> Encoded:
    read = functools.partial(bytes, str(position), "ascii")
    return Encoded(f"{position}", read, decode, label="a", split="train")


def members() -> Iterator[Member]:
    """Yield members of every kind."""
    yield encoded(0)
    yield from map(encoded, range(20))
    yield BadMember("bad", None, "train", "unknown")
    yield Sample("sample", "b", "train", np.arange(4, dtype=np.int16))
    yield Encoded("damaged", damaged, decode, label="a", split="train")
    yield from map(encoded, range(20, 30))
    yield AbsentMember("absent", "a", "train")


def as_text(decoded: Decoded) -> str:
    found = vars(decoded)
    if isinstance(decoded, Sample):
        found = found | {"data": (decoded.data.dtype, decoded.data.tolist())}
    return f"{type(decoded).__name__} {found}"


@pytest.mark.usefixtures("eager")
def test_members_of_every_kind_keep_their_order() -> None:
    alone = list(map(as_text, decode_members(members())))
    helped, workers = [], set()
    for member in decode_members(members(), workers=2):
        helped.append(as_text(member))
        workers |= {process.pid for process in multiprocessing.active_children()}
    assert helped == alone
    assert len(helped) == 35 and len(workers) == 2
    assert not multiprocessing.active_children()


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("dataset", ["tiny-imagenet", "esc10"])
def test_a_bank_has_the_same_bytes_for_any_number_of_workers(dataset: str, tmp_path: Path) -> None:
    classes, splits = SMALL[dataset]
    entry = {"classes": classes, "splits": splits, "max_bad_share": 0.0}
    archives = synthetic_archives(dataset, tmp_path)
    for workers in (1, 2):
        build_bank(dataset, archives, tmp_path / str(workers), entry=entry, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_small_bank_starts_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in decode_members(map(encoded, range(9)), workers=2):
        assert not multiprocessing.active_children()
    # Nor does one that is large, but whose members cost no more than copying them.
    monkeypatch.setattr(decoding, "_ALONE_S", 0.0)
    monkeypatch.setattr(decoding, "_SECONDS_PER_BYTE", 1.0)
    for _ in decode_members(map(encoded, range(4, 9)), workers=2):
        assert not multiprocessing.active_children()


@pytest.mark.usefixtures("eager")
def test_members_that_grow_large_are_decoded_with_few_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = [(f"{i}", decode_large, b"1") for i in range(3)]
    assert len(decoding._outcomes(jobs)) == 1
    given = [encoded(0), *(encoded(i, decode_large) for i in range(6))]
    sizes = [m.data.nbytes for m in decode_members(given, workers=2) if isinstance(m, Sample)]
    assert sizes == [2, *[40 * MEGABYTE] * 6]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_of_a_reader_names_the_member(workers: int) -> None:
    given = [encoded(0), encoded(1), encoded(2, decode_wrongly)]
    with pytest.raises(ZeroDivisionError) as caught:
        list(decode_members(given, workers=workers))
    assert caught.value.__notes__ == ["raised for member 2"]


@pytest.mark.usefixtures("eager")
def test_a_killed_worker_is_a_clear_error() -> None:
    given = [encoded(0), encoded(1), encoded(2, die), encoded(3)]
    with pytest.raises(OutOfMemory, match=r"2 processes .* killed before member 3, .* memory"):
        list(decode_members(given, workers=2))
    assert not multiprocessing.active_children()
