"""What a failed run says: which jobs failed, why, and the command that retries just those."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from fedssl.grid.paths import ResultPaths
from fedssl.record.failures import (
    Failure,
    FailureCollector,
    repeatable,
    report_failures,
    retry_command,
)
from fedssl.record.status import write_cells
from tests.unit.figures import shipped

TIME = "2026-11-21 15:09:00,123"
STATUS = "SLURM-job '7' failed, SLURM status is: 'FAILED'. For further error details see the log."
TRACEBACK = f"""{TIME} ERROR rule evaluate failed
Traceback (most recent call last):
  File "a.py", line 1, in f
    {{}}["x"]
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    g()
zipfile.BadZipFile: it is cut
"""


PRINTED = "RuleException:\nCalledProcessError in file a.smk, line 29:\nCommand 'python a.py' {}."
KILLED = "died with <Signals.SIGKILL: 9>"
ROUND = f"{TIME} INFO round 2 of 4  loss 3.6  0.8 s a round  0:00:02 left\n"


def failed(
    folder: Path, *outputs: str, log: str = "", message: str | None = None, printed: str = ""
) -> list[Failure]:
    """Return what a collector keeps of a failed job that left a log, and printed before it."""
    (folder / "job.log").write_text(log)
    record = logging.makeLogRecord(
        {
            "event": LogEvent.JOB_ERROR,
            "levelno": logging.ERROR,
            "rule_name": "acquire",
            "jobid": 7,
            "output": [str(folder / output) for output in outputs or ("model",)],
            "log": [str(folder / "job.log")],
            "rule_msg": message,
        }
    )
    collector = FailureCollector()
    said = {"event": LogEvent.ERROR, "levelno": logging.ERROR, "msg": printed}
    collector.handle(logging.makeLogRecord(said))
    collector.handle(record)
    return collector.failures()


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (f"{TIME} ERROR no room\n", "no room"),
        (f"{TIME} ERROR early\n{TIME} ERROR late\n{TIME} INFO and on\n", "late"),
        (f"{TIME} ERROR cannot\n  put it there\n{TIME} WARNING x\n", "cannot\n  put it there"),
        (TRACEBACK, "rule evaluate failed\nzipfile.BadZipFile: it is cut"),
    ],
)
def test_the_cause_is_what_the_job_said_last_and_what_its_executor_says(
    tmp_path: Path, log: str, cause: str
) -> None:
    assert failed(tmp_path, log=log)[0].cause == cause
    (failure,) = failed(tmp_path, log=log, message=STATUS)
    assert failure.cause == f"{cause}\n{STATUS}".strip()


@pytest.mark.parametrize("log", ["", f"{TIME} WARNING no ERROR here\n", ROUND])
def test_a_job_that_logged_no_error_was_killed_or_printed_it(tmp_path: Path, log: str) -> None:
    silence = f"ended without logging an error{' after round 2 of 4' if log == ROUND else ''}: "
    guess = "it may have been killed by the memory limit, by the time limit, or with its node"
    found = [
        failed(tmp_path, log=log, printed=PRINTED.format("returned exit status 1")),
        failed(tmp_path, log=log, printed=PRINTED.format(KILLED)),
        failed(tmp_path, log=log, message=STATUS),
    ]
    assert [failure.cause for (failure,) in found] == [
        f"{silence}see its output above",
        f"{silence}{guess}\n{KILLED}",
        f"{silence}{guess}\n{STATUS}",
    ]


def test_a_signal_is_of_the_job_that_logged_no_error(tmp_path: Path) -> None:
    printed = PRINTED.format(KILLED)
    assert failed(tmp_path, log=f"{TIME} ERROR no room\n", printed=printed)[0].cause == "no room"


def test_a_full_disk_is_named_where_the_log_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", {tmp_path: full}.__getitem__)
    (failure,) = failed(tmp_path, printed=PRINTED.format(KILLED))
    assert f": the disk of {tmp_path} is full" in failure.cause


def test_cells_that_cannot_be_written_do_not_hide_the_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").write_text("no folder")
    grid, _ = shipped()
    write_cells(grid, ResultPaths(f"{tmp_path}/results"))
    assert "results/cells.csv is not up to date: " in capsys.readouterr().err


def test_a_job_has_failed_while_any_of_its_outputs_is_missing(tmp_path: Path) -> None:
    """An archive that a failed job was to update is put back by Snakemake, which marks it so."""
    archive, record = tmp_path / "archive", tmp_path / "archive.provenance.json"
    outputs = ("archive (update)", record.name)
    assert [failure.output for failure in failed(tmp_path, *outputs)] == [str(archive)]
    archive.touch()
    failures = failed(tmp_path, *outputs)
    assert retry_command(failures, []) == f"snakemake -- {record}"
    record.touch()
    assert failed(tmp_path, *outputs) == [], "a later attempt succeeded"


def test_a_cause_of_several_lines_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    report_failures([Failure("acquire", ("data/a",), "a.log", "cannot\n  put it there")], [])
    assert "    cause  cannot\n             put it there\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--force", "out/a"], []),
        (["--cores", "2", "-F", "out/a", "-n"], ["--cores", "2", "-n"]),
        (["-f", "--forceall", "--force-use-threads"], ["--force-use-threads"]),
        (["--forcerun", "out/x", "rule", "--", "out/a"], []),
        (["-R", "out/x", "--cores", "2", "out/a"], ["--cores", "2"]),
        (["--forcerun=out/x", "--config", "seeds=[0]"], ["--config", "seeds=[0]"]),
    ],
)
def test_a_retry_forces_nothing(given: Sequence[str], kept: Sequence[str]) -> None:
    options = repeatable(given, ["out/a"])
    assert options == kept
    command = retry_command([Failure("pretrain", ("out/b",), "", "")], options)
    assert command.split()[0] == "snakemake" and command.endswith("-- out/b")
