"""Downloading clips: available clips are fetched once, and all others have a reason."""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from fedssl.data.banks.decoding import decode_members
from fedssl.data.readers import vggsound
from fedssl.data.samples import Sample
from fedssl.errors import UserError
from tests.unit.clip_downloads import IDS, SOUND, annotations, download, rows, wavs
from tests.unit.clip_server import Answer, serving
from tests.unit.sounds import encoded, pitch


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


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_cuts_what_libsndfile_does_not_know(tmp_path: Path) -> None:
    whole = tmp_path_wav(tmp_path)
    subprocess.run(["ffmpeg", "-v", "error", "-i", whole, tmp_path / "a.m4a"], check=True)
    annotations(tmp_path, IDS[:1])
    with serving({IDS[0]: "ok"}, (tmp_path / "a.m4a").read_bytes()) as server:
        download(tmp_path, server, suffix="m4a")
    (data,) = wavs(tmp_path).values()
    assert len(data) == pytest.approx(320_000, abs=2_000)
