"""From annotations to a bank with one target, where the user has named the data set."""

import json
import os
from collections.abc import Iterator

import pytest
import yaml

from tests.unit.clip_server import Clips, serving
from tests.unit.sounds import encoded, tone
from tests.workflow.project import CONFIG, Project

IDS = ["-XxUW9gW6mc", "_547JTmvb9g", "AbCdEfGhIjK", "zzzzzzzzzzz"]
BANK = "results/demo/banks/vggsound/bank.json"
LABELS = [
    '"bird chirping, tweeting",train',
    "rain,test",
    '"bird chirping, tweeting",test',
    "rain,train",
]


@pytest.fixture
def server() -> Iterator[Clips]:
    answers = dict(zip(IDS, ["ok", "ok", "ok", 503], strict=True))
    with serving(answers, encoded(tone(440, seconds=3))) as server:
        yield server


def configured(project: Project, server: Clips, *, allowed: bool) -> tuple[str, ...]:
    """Write annotations into the mirror, and a configuration that names it and the server."""
    csv = project.root / "mirror/vggsound/vggsound.csv"
    csv.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{clip},1,{label}" for clip, label in zip(IDS, LABELS, strict=True))
    csv.write_text("\n".join(rows) + "\n")
    downloads = {"url": server.url(), "pause_seconds": 0, "tries": 1}
    datasets = {"vggsound": {"classes": 2, "splits": {"train": None, "test": None}}}
    written = {"mirror": "mirror", "data_dir": "data", "datasets": datasets}
    written["downloads"] = downloads | ({"datasets": ["vggsound"]} if allowed else {})
    (project.root / "mine.yaml").write_text(yaml.safe_dump(written))
    return (*CONFIG, "mine.yaml")


def facts(project: Project) -> dict[str, object]:
    found: dict[str, object] = json.loads((project.root / BANK).read_text())
    return found


def test_one_target_fetches_and_banks_and_more_clips_make_another_bank(
    unfinished: Project, server: Clips
) -> None:
    config = configured(unfinished, server, allowed=True)
    unfinished.run("--cores", "2", BANK, config=config)
    assert facts(unfinished)["counts"] == {"test": 2, "train": 1}
    assert facts(unfinished)["absent"] == {"counts": {"train": 1}, "names": [f"{IDS[3]}_000001"]}
    folder = unfinished.root / "data/archives/vggsound"
    record = json.loads((folder / "clips.txt.provenance.json").read_text())
    assert record["clips"] == {"had": 3, "server": 1}
    assert f"{IDS[3]}_000001,server," in (folder / "clips.csv").read_text()
    assert unfinished.planned(BANK, config=config) == {}
    os.utime(folder / "clips" / f"{IDS[0]}_000001.wav")
    assert unfinished.planned(BANK, config=config) == {"bank_waveforms": 1}
    server.answers[IDS[3]] = "ok"
    server.requests.clear()
    unfinished.run("--cores", "2", "--forcerun", "download", "--", BANK, config=config)
    assert facts(unfinished)["counts"] == {"test": 2, "train": 2}
    assert set(server.requests) == {IDS[3]}


def test_without_leave_nothing_is_asked_for(unfinished: Project, server: Clips) -> None:
    config = configured(unfinished, server, allowed=False)
    printed = unfinished.run("--cores", "1", BANK, config=config, ok=False)
    assert server.requests == []
    assert "let the workflow fetch the clips" in printed.replace("\n", " ")
