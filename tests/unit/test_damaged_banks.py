"""Jobs on a bank that was damaged at the same size: they say so, and leave nothing behind."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from fedssl.data.banks import block_hashes, verified
from fedssl.data.banks.bank import open_bank
from fedssl.data.sharding import write_shards
from fedssl.errors import UserError
from fedssl.evaluation import evaluate, round_scores
from fedssl.files import read_json, sha256
from fedssl.record.job import recorded_job
from fedssl.views.statistics import write_statistics
from tests.unit.federations import SETTINGS, lay_out, run
from tests.unit.figures import ROOT
from tests.unit.test_fine_tune import SETTINGS as FINE_TUNE
from tests.unit.test_job import snakemake

Inputs = dict[str, str]
OTHERS = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["evaluation"]
IDENTITY = {"study": "fassl", "task": "fsdd", "seed": "0"}
SCORED = {**SETTINGS, "split": "test", "retrieval": {"ks": [1]}, "recalibrate_batch_norm": False}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Banks in many blocks, and a model that was trained on them."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_hashes, "BLOCK_BYTES", 20_000)
        inputs = lay_out(folder)
    run(inputs, folder, federation=SETTINGS["federation"] | {"rounds": 2, "kept_rounds": [0, 2]})
    return folder


@pytest.fixture
def given(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy, whose arrays are verified in a thread, as large ones are."""
    monkeypatch.setattr(verified, "SMALL_BYTES", 0)
    yield shutil.copytree(whole, tmp_path / "given")
    verified._UNFINISHED.clear()


def task(folder: Path) -> Inputs:
    return {
        "bank": str(folder / "audio/bank.json"),
        "normalisation": str(folder / "statistics.json"),
    }


def pretrain(folder: Path, out: Path, *, clients: int = 1) -> None:
    inputs = {"audio_bank": f"{folder}/audio/bank.json", "audio_shards": f"{folder}/audio.json"}
    inputs |= {"normalisation": task(folder)["normalisation"]}
    run(inputs, out, split="a100-i0-b0", clients=clients)


def pretrain_in_parallel(folder: Path, out: Path) -> None:
    pretrain(folder, out, clients=2)


def score(folder: Path, out: Path) -> None:
    settings = SCORED | {key: OTHERS[key] for key in ("knn", "linear-probe")}
    inputs = task(folder) | {"model": str(folder / "model.safetensors")}
    metrics = {"knn": str(out / "knn.json")}
    evaluate.evaluate(settings, identity=IDENTITY, inputs=inputs, metrics=metrics)


def fine_tune(folder: Path, out: Path) -> None:
    evaluate.fine_tune(
        SCORED | {"fine-tune": asdict(FINE_TUNE)},
        identity=IDENTITY,
        inputs=task(folder) | {"model": str(folder / "model.safetensors")},
        metric=str(out / "fine-tune.json"),
        state=str(out / "state"),
    )


def score_rounds(folder: Path, out: Path) -> None:
    names = ("scores", "samples", "best_round", "held_out_round", "best")
    ends = ("csv", "parquet", "json", "json", "safetensors")
    round_scores.score_rounds(
        SCORED,
        identity=IDENTITY,
        inputs=task(folder) | {"milestones": str(folder / "milestones")},
        outputs={n: str(out / f"{n}.{end}") for n, end in zip(names, ends, strict=True)},
        other_splits=[],
        state=str(out / "state"),
    )


def normalise(folder: Path, out: Path) -> None:
    bank = open_bank(folder / "audio")
    write_statistics(bank, out / "statistics.json", audio=SETTINGS["audio"])  # type: ignore[arg-type]


def shard(folder: Path, out: Path) -> None:
    own = SETTINGS["sharding"] | {"clients": 4}  # type: ignore[operator]
    write_shards(open_bank(folder / "audio"), out / "shards.json", sharding=own, seed=0)


JOBS = [pretrain, pretrain_in_parallel, score, fine_tune, score_rounds, normalise, shard]


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("name", ["waveforms.npy", "offsets.npy", "labels.npy"])
def test_a_job_on_a_damaged_array_fails_and_publishes_nothing(
    job: Callable[[Path, Path], None], name: str, given: Path, tmp_path: Path
) -> None:
    if (job, name) == (shard, "waveforms.npy"):
        pytest.skip("sharding reads no sound")
    path = given / "audio" / name
    before, content = path.stat(), path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (out := tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=rf"{name} was changed after its bank was built: block"):
        job(given, out)
    left = {file.name for file in out.rglob("*") if file.is_file() and file.suffix != ".claim"}
    assert left <= {"round0.safetensors"}, "the encoder before training, which read nothing"


def test_a_record_names_the_arrays_that_were_read(whole: Path, tmp_path: Path) -> None:
    made: Any = snakemake(tmp_path)
    bank = whole / "audio"
    made.input = [str(bank / "bank.json")]
    with recorded_job(made):
        normalise(whole, tmp_path)
        (tmp_path / "made").write_text("made")
    names = ("bank.json", "waveforms.npy", "offsets.npy", "labels.npy", "index.parquet")
    expected = {str(bank / name): sha256(bank / name) for name in names}
    assert read_json(made.output.provenance)["inputs"] == expected
    other = SimpleNamespace(**vars(made) | {"input": []})
    with recorded_job(other):
        (tmp_path / "made").write_text("made")
    assert read_json(made.output.provenance)["inputs"] == {}, "another job, other arrays"
