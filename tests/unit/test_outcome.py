"""What a failed run says: which jobs failed, why, and the command that retries just those."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

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

CANNOT_CLEAN_UP = """
import atexit
import sys
from fedssl.grid.snakemake_api import logger
from fedssl.record.failures import FailureCollector

failures = FailureCollector()
logger.addHandler(failures)
atexit.register(failures.report, sys.argv[1:])

rule fails:
    output: "fixed", "never"
    shell: "touch fixed; chattr +i fixed; exit 1"

onerror:
    print("the hook ran")
"""
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
    folder: Path,
    *outputs: str,
    log: str = "",
    message: str | None = None,
    printed: str = "",
    slurm: Mapping[str, Any] = MappingProxyType({}),
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
            "aux": dict(slurm),
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


def test_what_slurm_says_is_the_cause_and_nothing_is_guessed(tmp_path: Path) -> None:
    limit = "Slurm job 7 reached its time limit of 60 minutes"
    slurm = {"slurm_log": f"{tmp_path}/7.log", "explained": True}
    (failure,) = failed(tmp_path, log=ROUND, message=limit, slurm=slurm)
    assert failure.cause == f"{limit} after round 2 of 4"
    assert failure.slurm_log == f"{tmp_path}/7.log"


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("a\nslurmstepd: error: Exceeded memory limit\nb\n", "slurmstepd: error: Exceeded memory"),
        ("OSError: [Errno 28] No space left on device: '/tmp/x'\n", "OSError: [Errno 28] No space"),
        ("", "see its Slurm log"),
    ],
)
def test_what_only_the_slurm_log_says_is_quoted(tmp_path: Path, printed: str, words: str) -> None:
    (tmp_path / "7.log").write_text(printed)
    slurm = {"slurm_log": f"{tmp_path}/7.log", "explained": False}
    ended = "Slurm job 7 ended with an error"
    (failure,) = failed(tmp_path, message=ended, slurm=slurm)
    assert failure.cause.startswith(f"ended without logging an error: {words}")
    assert failure.cause.endswith(f"\n{ended}")


def test_failures_are_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = FailureCollector()
    monkeypatch.setattr(collector, "failures", lambda: [Failure("pretrain", ("out/a",), "", "x")])
    for _ in range(2):  # as the run's end and the end of the process do
        collector.report(["--cores", "1"])
    assert capsys.readouterr().err.count("1 failed:") == 1


@pytest.mark.parametrize("logged", ["", f"{TIME} ERROR no room\n"])
def test_an_interruption_is_no_failure_of_the_jobs_that_it_ends(
    logged: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "job.log"
    log.write_text(logged)
    collector = FailureCollector()
    job = {"jobid": 1, "log": [str(log)], "rule_msg": None, "aux": {}, "rule_name": "evaluate"}
    for said in (
        {"event": LogEvent.PROGRESS, "done": 67, "total": 127, "msg": None},
        {"event": LogEvent.JOB_ERROR, "output": [f"{tmp_path}/missing"], **job},
        {"msg": "Terminating processes on user request, this might take some time."},
    ):
        collector.handle(logging.makeLogRecord({"levelno": logging.INFO, **said}))
    collector.report(["--cores", "1"])
    printed = capsys.readouterr().err
    assert "interrupted: 67 of 127 jobs are done; the same command goes on." in printed
    assert ("1 failed:" in printed) is bool(logged)


def test_failures_are_reported_where_snakemake_cannot_remove_a_file(tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    if subprocess.run(["chattr", "+i", tmp_path / "probe"], capture_output=True).returncode:
        pytest.skip("files cannot be made immutable here")
    (tmp_path / "Snakefile").write_text(CANNOT_CLEAN_UP)
    command = [Path(sys.executable).with_name("snakemake"), "--cores", "1", "never"]
    try:
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    finally:
        subprocess.run(["chattr", "-i", tmp_path / "probe", tmp_path / "fixed"])
    assert "PermissionError" in ran.stderr and "the hook ran" not in ran.stdout
    assert "1 failed:\n  fails  never\n" in ran.stderr[ran.stderr.index("PermissionError") :]


def test_earlier_attempts_are_told_if_they_ended_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    earlier = ("lost its node", "no room")
    failure = Failure("pretrain", ("out/a",), "a.log", "no room", "7.log", earlier)
    report_failures([failure], [])
    printed = capsys.readouterr().err
    assert "attempt 1  lost its node\n" in printed and "attempt 2" not in printed
    assert "    slurm  7.log\n" in printed


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
