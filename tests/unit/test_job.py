"""The frame of a job: what it says of the code, of files it found itself, and of failures."""

import errno
import logging
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fedssl.errors import OutOfMemory, UserError
from fedssl.files import read_json, sha256
from fedssl.progress import is_final
from fedssl.record.job import recorded_job


class Outputs(list[str]):
    """A rule's outputs, one of them by name, as Snakemake gives them."""

    provenance: str


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    logging.basicConfig(level=level, handlers=handlers, force=True)


def snakemake(folder: Path, **resources: int) -> Any:
    """Return what Snakemake hands to a script, its code in `folder`."""
    (folder / "script.py").write_text("x = 1\n")
    outputs = Outputs([f"{folder}/made", f"{folder}/provenance.json"])
    outputs.provenance = outputs[1]
    return SimpleNamespace(
        rule="make",
        input=[],
        output=outputs,
        log=[f"{folder}/log"],
        params=SimpleNamespace(sources=["script.py"]),
        wildcards={"seed": "0"},
        threads=1,
        resources=resources,
        scriptdir=str(folder),
    )


@pytest.mark.parametrize("edited", ["x = 2\n", "x = (\n", None])
def test_the_record_names_the_code_that_ran_whatever_becomes_of_it(edited, tmp_path) -> None:
    given, source = snakemake(tmp_path), tmp_path / "script.py"
    began = sha256(source)
    with recorded_job(given):
        (tmp_path / "made").write_text("made")
        source.unlink() if edited is None else source.write_text(edited)
    record = read_json(given.output.provenance)
    assert record["sources"] == {str(source): began}
    assert record["outputs"] == {f"{tmp_path}/made": sha256(tmp_path / "made")}


def test_files_found_on_the_way_are_inputs_and_earlier_attempts_count(tmp_path) -> None:
    given = snakemake(tmp_path)
    (tmp_path / "elsewhere").write_text("a recording")
    with recorded_job(given, rate=3) as facts:
        (tmp_path / "made").write_text("made")
        facts |= {
            "further_inputs": [f"{tmp_path}/elsewhere"],
            "earlier_seconds": 3600.0,
            "bytes_up": 7,
        }
    record = read_json(given.output.provenance)
    assert record["inputs"] == {f"{tmp_path}/elsewhere": sha256(tmp_path / "elsewhere")}
    assert 3600 <= record["seconds"] < 3700 and record["bytes_up"] == 7
    assert record["settings"] == {"rate": 3}
    assert not {"further_inputs", "earlier_seconds"} & set(record)


def test_a_failure_is_in_the_log_even_after_the_work(tmp_path) -> None:
    given = snakemake(tmp_path)
    with pytest.raises(SystemExit) as ended, recorded_job(given):
        pass  # and nothing was made
    log = (tmp_path / "log").read_text()
    assert "rule make failed" in log and "Traceback" in log and f"{tmp_path}/made" in log
    said = f"fedssl: {tmp_path}/made cannot be read or written (No such file or directory)"
    assert str(ended.value) == f"{said}; the traceback is in {tmp_path}/log"
    assert not (tmp_path / "provenance.json").exists()


def test_a_users_mistake_is_one_sentence(tmp_path) -> None:
    given = snakemake(tmp_path)
    with pytest.raises(SystemExit, match=r"fedssl: k is 3; it must be 2\."), recorded_job(given):
        raise UserError("k is 3; it must be 2.")
    _, *said = (tmp_path / "log").read_text().splitlines()
    assert len(said) == 2 and said[0].endswith(" ERROR k is 3; it must be 2.")
    assert is_final(tmp_path / "log"), "a cluster need not try it again"


def test_a_job_that_ran_out_of_memory_may_be_tried_again(tmp_path) -> None:
    with pytest.raises(SystemExit), recorded_job(snakemake(tmp_path)):
        raise OutOfMemory("a worker was killed")
    assert not is_final(tmp_path / "log")


def fill_disk(how: str) -> None:
    """Write to the device that is always full; `how` is the library that does."""
    if how == "python":
        Path("/dev/full").write_bytes(bytes(10))
    elif how == "numpy":
        with open("/dev/full", "wb") as file:
            np.save(file, np.zeros(10))
            file.flush()
    else:  # a size limit, in the words of safetensors, which replaces its target
        raise RuntimeError(f"Error while serializing: I/O error: {os.strerror(errno.EFBIG)}")


@pytest.mark.parametrize("how", ["python", "numpy", "safetensors"])
def test_a_full_disk_is_one_sentence_with_a_remedy(how: str, tmp_path: Path) -> None:
    refused = pytest.raises(
        SystemExit, match=r"^fedssl: .*make room there.* continue where they stopped"
    )
    with refused, recorded_job(snakemake(tmp_path)):
        fill_disk(how)
    log = (tmp_path / "log").read_text()
    assert "cannot be written" in log and "Traceback" not in log


def test_the_log_begins_with_what_runs_where(tmp_path: Path) -> None:
    with recorded_job(snakemake(tmp_path)):
        (tmp_path / "made").write_text("made")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert f"make seed=0 on {platform.node()}, " in line and line.endswith(", 1 thread")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
@pytest.mark.parametrize(("gpus", "warned"), [(0, False), (1, True)])
def test_a_gpu_that_torch_does_not_see_is_a_warning(gpus, warned, tmp_path) -> None:
    with recorded_job(snakemake(tmp_path, gpu=gpus)):
        (tmp_path / "made").write_text("made")
    log = (tmp_path / "log").read_text()
    assert ", CPU, 1 thread" in log
    assert ("WARNING the job was given a GPU, but torch" in log) is warned


def test_what_a_killed_attempt_left_of_an_output_is_removed(tmp_path: Path) -> None:
    given = snakemake(tmp_path)
    output = Path(given.output[0])
    mine, other = (output.with_name(f".{name}.x1.part") for name in (output.name, "other.csv"))
    for file in (mine, other):
        file.write_bytes(b"half")
    with recorded_job(given):
        assert not mine.exists() and other.exists(), "another job may be writing that one"
        output.write_text("whole")
    assert f"removed {mine}" in Path(given.log[0]).read_text()


def test_a_folder_that_is_named_like_a_leftover_stays(tmp_path: Path) -> None:
    (tmp_path / ".made.abc.part").mkdir()
    with recorded_job(snakemake(tmp_path)):
        (tmp_path / "made").write_text("made")
    assert (tmp_path / ".made.abc.part").is_dir()


@pytest.mark.parametrize("use", [Path.mkdir, Path.read_text, lambda path: (path / "a").touch()])
def test_what_is_in_the_way_is_named_without_a_traceback(
    tmp_path: Path, use: Callable[[Path], object]
) -> None:
    place = tmp_path / "milestones"
    place.mkdir() if use is Path.read_text else place.touch()
    with pytest.raises(SystemExit, match="milestones"), recorded_job(snakemake(tmp_path)):
        use(place)
    log = (tmp_path / "log").read_text()
    assert "something else is in its place or above it" in log and "Traceback" not in log


def replaced(path: Path) -> None:
    """Write other bytes of the same size, and put the old times back."""
    before = path.stat()
    path.write_text("that")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change", [replaced, Path.unlink, lambda path: path.with_name("new").write_text("more")]
)
def test_an_input_that_changes_while_the_job_runs_fails_it(
    change: Callable[[Path], object], tmp_path: Path
) -> None:
    given = snakemake(tmp_path)
    (folder := tmp_path / "models").mkdir()
    (file := folder / "model").write_text("this")
    given.input = [str(folder)]
    with pytest.raises(SystemExit, match="was changed while this job ran"), recorded_job(given):
        change(file)
    assert not Path(given.output.provenance).exists()


def test_an_input_that_is_touched_or_linked_is_the_same(tmp_path: Path) -> None:
    given = snakemake(tmp_path)
    (file := tmp_path / "model").write_text("this")
    given.input = [str(file)]
    with recorded_job(given):
        (tmp_path / "made").write_text("made")
        file.touch()
        os.link(file, tmp_path / "backup")
        file.replace(tmp_path / "moved")
        shutil.copy(tmp_path / "moved", file)
    assert read_json(given.output.provenance)["inputs"] == {str(file): sha256(file)}


def test_what_another_job_has_made_meanwhile_is_kept(tmp_path: Path) -> None:
    given = resuming(tmp_path)
    make(given, size=(3, 4))
    before = (tmp_path / "provenance.json").read_bytes()
    with pytest.raises(SystemExit) as ended, recorded_job(given, size=(3, 4)):
        raise AssertionError("it is there")
    assert ended.value.code == 0
    assert (tmp_path / "provenance.json").read_bytes() == before


@pytest.mark.parametrize("other", ["settings", "wildcards", "code", "input", "output", "record"])
def test_what_another_job_has_made_of_something_else_is_made_again(
    other: str, tmp_path: Path
) -> None:
    given = resuming(tmp_path)
    given.input = [str(tmp_path / "read")]
    (tmp_path / "read").write_text("as it was")
    make(given, size=(3, 4))
    if other == "wildcards":
        given.wildcards = {"seed": "1"}
    elif other == "record":
        (tmp_path / "provenance.json").write_text("{}")
    elif other != "settings":
        file = {"code": "script.py", "input": "read", "output": "made"}[other]
        (tmp_path / file).write_text("y = 1\n")
    make(given, size=(3, 5 if other == "settings" else 4))
    assert (tmp_path / "made").read_text() == "made made"


def resuming(folder: Path) -> Any:
    given = snakemake(folder)
    given.params.state = str(folder / "state")
    return given


def make(given: Any, **settings: Any) -> None:
    made = Path(given.output[0])
    with recorded_job(given, **settings):
        made.write_text("made made" if made.exists() else "made")
