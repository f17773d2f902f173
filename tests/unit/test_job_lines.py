"""The lines that a run prints: one per finished job, and nothing lost that went wrong."""

import io
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from fedssl.grid.snakemake_api import NOTHING_TO_DO, RunJob
from fedssl.terminal import job_lines
from fedssl.terminal.description import describe, duration, find
from fedssl.terminal.job_lines import JobLines
from fedssl.terminal.time_left import TimeLeft

CELL = {
    "study": "fssuavl",
    "method": "simclr",
    "arch": "vit",
    "aggregator": "fedavg",
    "split": "a0-i100-b0",
    "variant": "base",
    "seed": "0",
    "task": "cifar10",
}


class Terminal:
    """What a run prints, from the events that Snakemake logs."""

    def __init__(
        self,
        jobs: Sequence[RunJob],
        expected: Mapping[str, float],
        /,
        *,
        here: bool = True,
        terminal: bool = False,
        **changes: Callable[..., Any],
    ) -> None:
        given = {"jobs": lambda: jobs, "expected": lambda jobs: expected, "targets": lambda: jobs}
        lines = JobLines(DefaultFormatter(), terminal=terminal, here=here, **given | changes)
        self._stream = io.StringIO()
        self._handler = logging.StreamHandler(self._stream)
        self._handler.addFilter(lines)
        self._handler.setFormatter(lines)

    def says(self, message: str | None = None, level: int = logging.INFO, **said: Any) -> list[str]:
        """Return the lines that are printed about a record."""
        self._stream.truncate(0)
        self._stream.seek(0)
        named = {"msg": message, "levelno": level, "levelname": logging.getLevelName(level)}
        self._handler.handle(logging.makeLogRecord(named | said))
        return [line for line in self._stream.getvalue().split("\n") if line]

    def starts(self, *numbers: int) -> list[str]:
        lines = self.says("Execute 1 jobs...", event=LogEvent.JOB_STARTED, jobs=[*numbers])
        for number in numbers:
            lines += self.says("rule", event=LogEvent.JOB_INFO, jobid=number)
        return lines

    def ends(self, number: int) -> list[str]:
        return self.says("Finished jobid", event=LogEvent.JOB_FINISHED, job_id=number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of a run, in seconds."""
    now = [1e9]
    monkeypatch.setattr(job_lines.time, "time", lambda: now[0])
    # The expected durations are read before the first job goes on.
    monkeypatch.setattr(job_lines.threading.Thread, "start", job_lines.threading.Thread.run)
    return now


@pytest.fixture
def scored(tmp_path: Path) -> RunJob:
    """A job that has scored an encoder."""
    for protocol, value in (("knn", 26.04), ("linear-probe", 31.0)):
        (tmp_path / f"{protocol}.json").write_text(
            json.dumps({"protocol": protocol, "value": value})
        )
    record = tmp_path / "provenance.json"
    record.write_text(json.dumps({"rule": "evaluate", "seconds": 9.2}))
    outputs = ("knn.json", "linear-probe.json", "knn.parquet", record.name)
    return RunJob(1, "evaluate", CELL, tuple(f"{tmp_path}/{name}" for name in outputs), "a.log")


def test_a_finished_job_has_one_line_with_what_it_found(scored: RunJob, clock: list[float]) -> None:
    others = [RunJob(n, "table", {"product": f"t{n}"}, (f"t{n}.md",), "") for n in (2, 3)]
    target = RunJob(4, "all", {}, (), "")
    terminal = Terminal([scored, *others, target], {scored.name: 9.0, "t2.md": 30.0, "t3.md": 30.0})
    assert terminal.says("Select jobs to execute...") == terminal.starts(1) == []
    clock[0] += 10
    what = "scores of simclr vit fedavg a0-i100-b0, seed 0, cifar10: kNN 26.0, linear 31.0, 10 s"
    # Each of the others takes 10 s to start, as this one did at most, and 30 s.
    assert terminal.ends(1) == [f"[1/3] {what}; about 1 min left"]
    assert terminal.says(event=LogEvent.PROGRESS, done=1, total=4) == []
    terminal.starts(2, 3)
    clock[0] += 4
    assert terminal.ends(2) == ["[2/3] t2: t2.md, 4 s; about 1 s left"]
    clock[0] += 3
    assert terminal.ends(3) == ["[3/3] t3: t3.md, 7 s"]
    assert terminal.ends(4) == [], "a target has no file"


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (logging.WARNING, {"message": "a record is damaged"}),
        (logging.ERROR, {"message": "WorkflowError"}),
        (logging.ERROR, {"message": "CalledProcessError", "event": LogEvent.ERROR}),
        (logging.INFO, {"message": "Trying to restart job 1."}),
        (logging.INFO, {"message": "Job stats:", "event": LogEvent.RUN_INFO}),
        (logging.INFO, {"message": "Complete log(s): a.log"}),
    ],
)
def test_all_else_is_printed_as_before(level: int, said: dict[str, Any]) -> None:
    terminal = Terminal([], {})
    assert terminal.says(level=level, **said) == [said["message"]]


def test_a_run_with_nothing_to_do_names_its_page() -> None:
    page = RunJob(1, "report_page", {}, ("results/demo/report/index.html",), "")
    other = RunJob(2, "table", {}, ("t.md",), "")
    told = Terminal([other, page], {}).says(NOTHING_TO_DO)
    assert told == [NOTHING_TO_DO, "report: results/demo/report/index.html"]
    assert Terminal([other], {}).says(NOTHING_TO_DO) == [NOTHING_TO_DO]


def fail(*_: object) -> Any:
    raise KeyError("a fault")


def test_a_fault_when_jobs_start_is_told_once_and_ends_no_run(
    scored: RunJob, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = Terminal([scored], {}, jobs=fail)
    for _ in range(2):
        assert "Execute 1 jobs..." in terminal.starts()
    assert caplog.messages == [
        "Snakemake's own lines follow, because ours failed with KeyError('a fault')."
    ]


def test_a_fault_in_the_words_of_a_line_leaves_snakemakes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    terminal = Terminal([], {}, targets=fail)
    assert terminal.says(NOTHING_TO_DO) == [NOTHING_TO_DO]
    assert "KeyError('a fault')" in caplog.text
    assert terminal.says("Select jobs to execute...") == ["Select jobs to execute..."]


def test_durations_that_cannot_be_found_are_told_and_end_no_run(
    scored: RunJob, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    others = [RunJob(2, "table", {"product": "t"}, ("t.md",), "")]
    terminal = Terminal([scored, *others], {}, expected=fail)
    assert terminal.starts(1) == []
    assert "time is left, because of KeyError('a fault')" in caplog.text
    (line,) = terminal.ends(1)
    assert line.startswith("[1/2] scores of ") and "left" not in line


def test_a_failed_job_is_printed_as_before() -> None:
    words = {"rule_name": "evaluate", "rule_msg": "x", "jobid": 1, "input": [], "output": ["a"]}
    words |= {"log": [], "conda_env": None, "shellcmd": None, "aux": {}}
    lines = Terminal([], {}).says("failed", logging.ERROR, event=LogEvent.JOB_ERROR, **words)
    assert "Error in rule evaluate:" in lines and "    output: a" in lines


def test_a_job_of_a_cluster_is_told_on_submission(scored: RunJob, clock: list[float]) -> None:
    other = RunJob(2, "evaluate", CELL | {"task": "mnist"}, ("b",), "")
    terminal = Terminal([scored, other], {}, here=False)
    assert terminal.starts(1, 2) == []
    said = terminal.says("Job x is Slurm job 7 (log: a).", slurm_job="7", jobs=[1, 2])
    what = describe(scored.rule, CELL)
    assert said == [f"submitted as Slurm job 7: {what} and 1 more"]
    clock[0] += 3600  # in the queue, which the job's own time leaves out
    assert "linear 31.0, 9 s; about 9 s left" in terminal.ends(1)[0]


def test_a_long_job_is_told_when_it_starts(clock: list[float]) -> None:
    jobs = [RunJob(n, "pretrain", CELL, (f"{n}",), "") for n in (1, 2)]
    terminal = Terminal(jobs, {"1": 7200.0, "2": 5.0})
    (line,) = terminal.starts(1, 2)
    assert line.startswith("pretraining of simclr vit ") and line.endswith(" starts, about 2.0 h")


def test_only_a_terminal_gets_control_codes(scored: RunJob, clock: list[float]) -> None:
    for terminal in (True, False):
        lines = Terminal([scored], {}, terminal=terminal)
        lines.starts(1)
        assert lines.ends(1)[0].startswith("\r\x1b[2K[1/1] ") is terminal


@pytest.mark.parametrize("content", ["", "{", "[]", '{"protocol": "knn"}', '{"value": "x"}'])
def test_a_file_without_a_number_is_left_out(content: str, tmp_path: Path) -> None:
    (tmp_path / "knn.json").write_text(content)
    assert find([f"{tmp_path}/knn.json", f"{tmp_path}/gone.json"]) == ""


def test_the_loss_of_a_pretraining_is_the_mean_of_its_last_round(tmp_path: Path) -> None:
    (tmp_path / "rounds.csv").write_text("round,client,loss\n1,0,9\n2,0,3.0\n2,1,4.0\n")
    assert find([f"{tmp_path}/model.safetensors", f"{tmp_path}/rounds.csv"]) == "loss 3.50"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (360, "6 min"), (5400, "1.5 h"), (172800, "2 days")],
)
def test_a_duration_has_one_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


SECONDS = st.floats(1, 1e5)


@given(st.integers(1, 50), st.integers(1, 8), SECONDS)
def test_equal_jobs_share_the_time_left(count: int, at_once: int, seconds: float) -> None:
    left = TimeLeft({})
    left.finish("a", "first", seconds)
    left.run_at_once(at_once, seconds=seconds)
    found = left.left([("a", str(n), 0.0) for n in range(count)])
    assert found == pytest.approx(max(count / at_once, 1) * seconds)


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=5), SECONDS)
def test_finished_jobs_correct_what_was_expected(
    jobs: list[tuple[float, float]], further: float
) -> None:
    """A machine half as fast as expected takes twice the time also for what is left."""
    expected = {str(n): own for n, (own, _) in enumerate(jobs)} | {"further": further}
    left = TimeLeft(expected)
    left.finish("start", "tiny", 1e-9)
    for name, own in expected.items():
        if name != "further":
            left.finish("a", name, 2 * own)
    assert left.left([("a", "further", 0.0)]) == pytest.approx(2 * further, rel=1e-6)


def test_a_long_job_does_not_make_all_others_long() -> None:
    left = TimeLeft({"short": 5.0})
    left.finish("a", "long", 3600.0)
    assert left.left([("b", "short", 0.0)]) == 15


@given(st.dictionaries(st.text(max_size=3), SECONDS, min_size=1), st.integers(1, 8))
def test_without_finished_jobs_the_expected_durations_are_added(
    expected: dict[str, float], at_once: int
) -> None:
    left = TimeLeft(expected)
    left.run_at_once(at_once, seconds=1)
    found = left.left([("a", name, 0.0) for name in expected])
    longest = max(expected.values())
    assert found == pytest.approx(max(sum(expected.values()) / at_once, longest))
    first = next(iter(expected))
    whole = expected[first]
    assert left.left([("a", first, 0.25 * whole)]) == pytest.approx(0.75 * whole)
    assert left.left([("a", first, 2 * whole)]) == 0
