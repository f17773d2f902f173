"""Downloading clips: available clips are fetched once, and all others have a reason."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from fedssl.data.banks.decoding import decode_members
from fedssl.data.banks.members import Sample
from fedssl.data.fetch import clip_download
from fedssl.data.fetch.clip_download import download_clips
from fedssl.data.fetch.clip_manifest import ClipManifest, ClipResult
from fedssl.data.readers import vggsound
from fedssl.errors import UserError
from tests.unit.archives import ROOT
from tests.unit.clip_server import Answer, Clips, serving
from tests.unit.sounds import encoded, pitch, tone

RATE = 8_000
# 14 s; from second 2 on a higher tone, so that a wrong cut is heard.
SOUND = encoded(
    np.concatenate([tone(300, seconds=2, rate=RATE), tone(600, seconds=12, rate=RATE)]), rate=RATE
)
IDS = ["-XxUW9gW6mc", "_547JTmvb9g", "AbCdEfGhIjK", "zzzzzzzzzzz"]
SETTINGS = {
    "workers": 2,
    "pause_seconds": 0.0,
    "tries": 2,
    "timeout_seconds": 5,
    "rate_limit": None,
}


def annotations(folder: Path, ids: list[str], *, start: int = 2) -> Path:
    """Write a CSV file with a class name that contains a comma."""
    lines = [f'{clip},{start},"bird chirping, tweeting",train' for clip in ids]
    (folder / "vggsound.csv").write_text("\n".join(lines) + "\n")
    return folder / "vggsound.csv"


def download(folder: Path, server: Clips, *, suffix: str = "wav", **changes: Any) -> dict[str, Any]:
    return download_clips(
        folder / "vggsound.csv",
        folder / "clips",
        listing=folder / "clips.txt",
        manifest=folder / "clips.csv",
        settings={**SETTINGS, "url": server.url(suffix), **changes},
    )


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "clips.csv").open(newline="") as file:
        return {row["clip"][:-7]: row for row in csv.DictReader(file)}


def wavs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "clips").glob("*.wav")}


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG"])
def test_clips_are_cut_named_and_read_without_another_step(container: str, tmp_path: Path) -> None:
    subtype = "VORBIS" if container == "OGG" else "PCM_16"
    waveform, rate = soundfile.read(tmp_path_wav(tmp_path))
    body = encoded(waveform, rate=rate, container=container, subtype=subtype)
    annotations(tmp_path, IDS)
    with serving(dict.fromkeys(IDS, "ok"), body) as server:
        assert download(tmp_path, server, suffix=container.lower()) == {"had": 4}
    paths = {"annotations": tmp_path / "vggsound.csv", "clips": tmp_path / "clips.txt"}
    samples = list(decode_members(vggsound.read(paths)))
    assert {sample.name for sample in samples} == {f"{clip}_000002" for clip in IDS}
    for sample in samples:
        assert isinstance(sample, Sample) and sample.label == "bird chirping, tweeting"
        assert len(sample.data) == 160_000
        assert pitch(sample.data[:1600]) == pytest.approx(600, abs=10)


def tmp_path_wav(folder: Path) -> Path:
    (folder / "whole.wav").write_bytes(SOUND)
    return folder / "whole.wav"


FAULTS: Mapping[Answer, str] = {
    404: "gone",
    410: "gone",
    403: "refused",
    401: "private",
    429: "throttled",
    451: "geo",
    500: "server",
    503: "server",
    "cut": "network",
    "slow": "timeout",
    b"rubbish": "unreadable",
    encoded(np.zeros(0)): "short",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault)[:12])
def test_every_failure_is_listed_with_its_reason(fault: Answer, tmp_path: Path) -> None:
    annotations(tmp_path, IDS[:2])
    with serving({IDS[0]: "ok", IDS[1]: fault}, SOUND) as server:
        if fault == b"rubbish" and shutil.which("ffmpeg") is None:
            with pytest.raises(UserError, match="needs ffmpeg"):
                download(tmp_path, server)
            return
        counts = download(tmp_path, server, timeout_seconds=1.0)
    assert counts == {"had": 1, FAULTS[fault]: 1}
    row = rows(tmp_path)[IDS[1]]
    assert row["status"] == FAULTS[fault] and row["reason"] and not row["file"]
    assert list(wavs(tmp_path)) == [f"{IDS[0]}_000002.wav"]
    transient = FAULTS[fault] in {"refused", "throttled", "server", "network", "timeout"}
    assert row["tries"] == ("2" if transient else "1")


def test_a_second_run_asks_only_for_what_may_have_changed(tmp_path: Path) -> None:
    annotations(tmp_path, IDS)
    answers: dict[str, Answer] = dict(zip(IDS, ["ok", 404, 503, "ok"], strict=True))
    with serving(answers, SOUND) as server:
        assert download(tmp_path, server) == {"gone": 1, "had": 2, "server": 1}
        listing = (tmp_path / "clips.txt").read_text()
        server.requests.clear()
        server.answers[IDS[2]] = "ok"
        assert download(tmp_path, server) == {"gone": 1, "had": 3}
        assert set(server.requests) == {IDS[2]}
        assert rows(tmp_path)[IDS[2]]["tries"] == "3"
        assert (tmp_path / "clips.txt").read_text() != listing  # the bank is made again
        server.requests.clear()
        (tmp_path / f"clips/{IDS[0]}_000002.wav").unlink()
        download(tmp_path, server)
        assert set(server.requests) == {IDS[0]}


def test_the_manifest_says_what_lies_there(tmp_path: Path) -> None:
    annotations(tmp_path, IDS[:1])
    with serving({IDS[0]: "ok"}, SOUND) as server:
        download(tmp_path, server)
    (row,) = rows(tmp_path).values()
    data = wavs(tmp_path)[row["file"]]
    assert row["bytes"] == str(len(data)) and row["when"].startswith("20")
    assert row["sha256"] == hashlib.sha256(data).hexdigest()


def test_requests_keep_their_distance(tmp_path: Path) -> None:
    annotations(tmp_path, IDS)
    with serving(dict.fromkeys(IDS, "ok"), SOUND) as server:
        download(tmp_path, server, pause_seconds=0.3, workers=4)
    first = [server.times[server.requests.index(clip)] for clip in IDS]
    assert max(first) - min(first) > 3 * 0.3 - 0.2  # less what the first one took to start


def test_many_failures_in_a_row_end_the_run(tmp_path: Path) -> None:
    ids = [f"{i:011d}" for i in range(60)]
    annotations(tmp_path, ids)
    with (
        serving(dict.fromkeys(ids, 429), SOUND) as server,
        pytest.raises(UserError, match=r"failures in a row, the last: throttled .*429"),
    ):
        download(tmp_path, server)
    assert len(set(server.requests)) < 30
    assert not (tmp_path / "clips.txt").exists()


def test_no_clip_at_all_is_an_error(tmp_path: Path) -> None:
    annotations(tmp_path, IDS)
    with (
        serving({}, SOUND) as server,
        pytest.raises(UserError, match=r"none of the 4 clips .*'gone': 4"),
    ):
        download(tmp_path, server)


def test_a_video_without_ffmpeg_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    annotations(tmp_path, IDS)
    with (
        serving(dict.fromkeys(IDS, "ok"), b"\0\0\0\x18ftypmp42" + bytes(9_000)) as server,
        pytest.raises(UserError, match=r"cutting a \.mp4 file needs ffmpeg.*install it"),
    ):
        download(tmp_path, server, suffix="mp4")


def test_two_processes_do_not_fetch_into_one_folder(tmp_path: Path) -> None:
    annotations(tmp_path, IDS)
    with (
        serving({}, SOUND) as server,
        clip_download._locked(tmp_path / "clips"),
        pytest.raises(UserError, match="another process is fetching"),
    ):
        download(tmp_path, server)


COMMAND = """
import json, resource, sys
from pathlib import Path
from fedssl.data.fetch.clip_download import download_clips
folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
if limit := settings.pop("limit", 0):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print(download_clips(folder / "vggsound.csv", folder / "clips", listing=folder / "clips.txt",
                     manifest=folder / "clips.csv", settings=settings))
"""


def process(folder: Path, server: Clips, **changes: Any) -> subprocess.Popen[str]:
    settings = json.dumps({**SETTINGS, "url": server.url(), **changes})
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(folder), settings],
        env={"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_run_goes_on_and_leaves_whole_files(tmp_path: Path) -> None:
    ids = [f"{i:011d}" for i in range(12)]
    annotations(tmp_path, ids)
    with serving(dict.fromkeys(ids, "ok"), SOUND) as server:
        for kill in (1, 5, 9):
            running = process(tmp_path, server, pause_seconds=0.1)
            while len(list((tmp_path / "clips").glob("*.wav"))) < kill:
                time.sleep(0.01)
                assert running.poll() is None
            os.kill(running.pid, signal.SIGKILL)
            running.communicate()
            for data in wavs(tmp_path).values():
                assert len(data) == 44 + 2 * 160_000
        running = process(tmp_path, server)
        assert running.communicate()[0] == "{'had': 12}\n"
    assert len(server.requests) < 2 * len(ids) + 12  # yt-dlp asks twice: what it is, and for it
    assert len(set(wavs(tmp_path).values())) == 1
    assert not list((tmp_path / "clips").glob(".part*"))


@pytest.mark.parametrize("room", [100_000, 250_000], ids=["for no download", "for no clip"])
def test_a_full_disk_ends_the_run_with_a_word_and_without_rubbish(
    room: int, tmp_path: Path
) -> None:
    annotations(tmp_path, IDS)
    with serving(dict.fromkeys(IDS, "ok"), SOUND) as server:
        running = process(tmp_path, server, limit=room)
        said = running.communicate()[1]
        assert "cannot be written (File too large): make room" in said
        assert wavs(tmp_path) == {}
        assert process(tmp_path, server).communicate()[0] == "{'had': 4}\n"


def test_a_line_that_a_kill_cut_is_no_outcome(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest = ClipManifest(path)
    for clip in "abc":
        manifest.add(ClipResult(clip, "gone", "it is gone"))
    manifest.close()
    path.write_bytes(path.read_bytes()[:-9])
    manifest = ClipManifest(path)
    assert [manifest.is_final(clip) for clip in "abc"] == [True, True, False]
    manifest.add(ClipResult("c", "gone"))
    manifest.close()
    manifest = ClipManifest(path)
    assert manifest.is_final("c")
    manifest.close()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_cuts_what_libsndfile_does_not_know(tmp_path: Path) -> None:
    whole = tmp_path_wav(tmp_path)
    subprocess.run(["ffmpeg", "-v", "error", "-i", whole, tmp_path / "a.m4a"], check=True)
    annotations(tmp_path, IDS[:1])
    with serving({IDS[0]: "ok"}, (tmp_path / "a.m4a").read_bytes()) as server:
        download(tmp_path, server, suffix="m4a")
    (data,) = wavs(tmp_path).values()
    assert len(data) == pytest.approx(320_000, abs=2_000)
