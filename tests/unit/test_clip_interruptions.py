"""Downloads of clips that are killed, cut short, or run twice at once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fedssl.data.fetch import clip_download
from fedssl.data.fetch.clip_manifest import ClipManifest, ClipResult
from fedssl.errors import UserError
from tests.unit.archives import ROOT
from tests.unit.clip_downloads import IDS, SETTINGS, SOUND, annotations, download, wavs
from tests.unit.clip_server import Clips, serving


def test_two_processes_do_not_fetch_into_one_folder(tmp_path: Path) -> None:
    annotations(tmp_path, IDS)
    with (
        serving({}, SOUND) as server,
        clip_download._locked(tmp_path / "clips"),
        pytest.raises(UserError, match="clips is being written by process"),
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
