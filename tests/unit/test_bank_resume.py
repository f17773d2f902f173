"""Interrupted builds of banks: a resumed build ends with the bytes of an uninterrupted one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedssl.data.banks import partial_bank
from fedssl.data.banks.build import build_bank
from fedssl.data.banks.partial_bank import PartialBank, open_partial_bank
from fedssl.data.banks.writer import write_bank
from fedssl.data.samples import AbsentMember, Encoded, Member, Sample, UnreadableError
from fedssl.errors import UserError
from fedssl.lease import LostLease, hold
from fedssl.progress import MemberProgress
from tests.unit.archives import ROOT, synthetic_archives
from tests.unit.banks import contents
from tests.unit.killed import children, still_lives

ENTRY = {"classes": 10, "splits": {"train": 20, "test": 10}, "max_bad_share": 0.0}


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_bank, "BLOCK_BYTES", 4_000)


def members(*, kill_at: int | None = None, read: list[int] | None = None) -> Iterator[Member]:
    """Yield decoded, encoded, bad and absent members; raise before `kill_at` if it is given."""

    def decode(content: bytes) -> np.ndarray:
        position = int(content)
        if read is not None:
            read.append(position)
        if position % 10 == 4:
            raise UnreadableError("it is cut short")
        return np.full(200 + position, position, np.int16)

    for i in range(60):
        if i == kill_at:
            raise Killed
        if i % 10 == 7:
            yield AbsentMember(f"{i}", "a", "train")
        elif i % 10 == 8:
            yield Sample(f"{i}", "b", "train", np.full(300, i, np.int16))
        else:
            yield Encoded(f"{i}", lambda i=i: b"%d" % i, decode, label="a", split="train")


def bank(folder: Path, given: Iterator[Member], *, key: str = "k") -> MemberProgress:
    progress = MemberProgress()
    with open_partial_bank(folder / "state" / "v1", key=key, start=128) as partial:
        write_bank(
            given,
            folder / "bank",
            dataset="toy",
            modality="audio",
            num_classes=2,
            counts={"train": None},
            max_bad_share=0.2,
            partial=partial,
            progress=progress,
        )
    return progress


@pytest.mark.parametrize("kill_at", [1, 17, 58])
def test_a_run_goes_on_where_one_stopped_and_ends_with_the_same_bytes(
    kill_at: int, tmp_path: Path
) -> None:
    bank(tmp_path / "whole", members())
    with pytest.raises(Killed):
        bank(tmp_path / "cut", members(kill_at=kill_at))
    read: list[int] = []
    progress = bank(tmp_path / "cut", members(read=read))
    assert contents(tmp_path / "cut/bank") == contents(tmp_path / "whole/bank")
    resumed = progress.facts()["members_resumed"]
    assert (0 if kill_at == 1 else kill_at - 15) <= resumed <= kill_at
    assert not read or min(read) >= resumed  # what was done is not decoded again


def test_each_kill_costs_at_most_a_stretch(tmp_path: Path) -> None:
    bank(tmp_path / "whole", members())
    for kill_at in range(0, 60, 7):
        with pytest.raises(Killed):
            bank(tmp_path / "cut", members(kill_at=kill_at))
    bank(tmp_path / "cut", members())
    assert contents(tmp_path / "cut/bank") == contents(tmp_path / "whole/bank")


@pytest.mark.parametrize("file", ["data", "journal.jsonl"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "grown"])
def test_damaged_state_is_noticed_and_made_good(file: str, damage: str, tmp_path: Path) -> None:
    bank(tmp_path / "whole", members())
    with pytest.raises(Killed):
        bank(tmp_path / "cut", members(kill_at=50))
    path = tmp_path / "cut/state/v1" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if damage != "gone":
        original = bytes(content) if damage == "flip" else bytes(content[: len(content) // 2])
        path.write_bytes(original + (b"{}\nrubbish" if damage == "grown" else b""))
    bank(tmp_path / "cut", members())
    assert contents(tmp_path / "cut/bank") == contents(tmp_path / "whole/bank")


def test_other_archives_begin_anew(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        bank(tmp_path, members(kill_at=50))
    assert bank(tmp_path, members(), key="other").facts()["members_resumed"] == 0


def test_the_state_of_other_code_is_removed(tmp_path: Path) -> None:
    (tmp_path / "state/v0").mkdir(parents=True)
    bank(tmp_path, members())
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["v1"]


def test_a_process_that_has_lost_its_lease_commits_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state/v1"
    with pytest.raises(LostLease), hold(tmp_path / ".lease", what="the bank"):
        (tmp_path / ".lease").unlink()
        bank(tmp_path, members())
    with contextlib.closing(PartialBank(state, key="k", start=128)) as partial:
        assert partial.rows == [] and not (tmp_path / "bank/bank.json").exists()


def test_a_member_that_comes_twice_is_bad(tmp_path: Path) -> None:
    twice = [Sample("a", "a", "train", np.ones(n, np.int16)) for n in (3, 4)]
    others = [Sample(str(i), "b", "train", np.ones(2, np.int16)) for i in range(9)]
    bank(tmp_path, iter([*twice, *others]))
    facts = json.loads((tmp_path / "bank/bank.json").read_text())
    assert facts["bad"] == [{"name": "a", "reason": "another member has the same name"}]


def test_text_that_no_file_can_hold_is_bad(tmp_path: Path) -> None:
    odd = [Sample("\ud800", "a", "train", np.ones(3, np.int16))]
    given = [Sample(str(i), "ab"[i % 2], "train", np.ones(2, np.int16)) for i in range(9)]
    bank(tmp_path, iter([*given, *odd]))
    assert "no UTF-8 text" in (tmp_path / "bank/bank.json").read_text()


def test_changed_archives_are_read_from_the_start_and_a_failed_check_keeps_what_was_read(
    tmp_path: Path,
) -> None:
    archives, state = synthetic_archives("fsdd", tmp_path), tmp_path / "state" / "v1"
    wrong = ENTRY | {"splits": {"train": 21, "test": 10}}
    with pytest.raises(UserError, match="declares test 10, train 21"):
        build_bank("fsdd", archives, tmp_path / "bank", entry=wrong, state=state)
    for expected in (30, 0):
        progress = MemberProgress()
        build_bank("fsdd", archives, tmp_path / "bank", entry=ENTRY, state=state, progress=progress)
        assert progress.facts()["members_resumed"] == expected
        assert not state.exists()
        with pytest.raises(UserError):
            build_bank("fsdd", archives, tmp_path / "bank", entry=wrong, state=state)
        os.utime(archives["recordings"], (1, 1))


SLOW = """
import sys, time
from pathlib import Path
from fedssl.data.banks import decoding, partial_bank
from fedssl.data.banks.build import build_bank
partial_bank.BLOCK_BYTES = 4_000
decoding._ALONE_S = decoding._SECONDS_PER_BYTE = 0.0
decoding._BATCH_S = 1e-6
add = partial_bank.PartialBank.add
def slowly(*given):
    time.sleep(0.02)
    add(*given)
partial_bank.PartialBank.add = slowly
folder = Path(sys.argv[1])
entry = {"classes": 10, "splits": {"train": 20, "test": 10}, "max_bad_share": 0.0}
build_bank("fsdd", {"recordings": Path(sys.argv[2])}, folder / "bank", entry=entry,
           state=folder / "state" / "v1", workers=2)
"""


def test_a_killed_process_costs_nothing_but_time(tmp_path: Path) -> None:
    recordings = synthetic_archives("fsdd", tmp_path)["recordings"]
    build_bank("fsdd", {"recordings": recordings}, tmp_path / "whole", entry=ENTRY)
    command = [sys.executable, "-c", SLOW, str(tmp_path), str(recordings)]
    journal, kills, lines = tmp_path / "state/v1/journal.jsonl", 0, [0]
    workers: list[int] = []
    while True:
        process = subprocess.Popen(command, env={"PYTHONPATH": str(ROOT / "src")})
        while process.poll() is None and kills < 3:
            if journal.exists() and len(journal.read_bytes().splitlines()) > lines[-1] + 2:
                workers += children(process.pid)
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        if process.wait() == 0:
            break
        lines.append(len(journal.read_bytes().splitlines()))
    assert kills == 3
    assert len(workers) >= 6 and not any(map(still_lives, workers))
    assert lines == sorted(lines)
    assert contents(tmp_path / "bank") == contents(tmp_path / "whole")
