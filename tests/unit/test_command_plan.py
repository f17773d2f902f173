"""`fedssl explain` and `estimate`: why jobs would run, and what they cost."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from fedssl.command.costs import Estimator, costs, measured_jobs
from fedssl.command.dry_run import PlannedJob
from fedssl.command.estimate import duration
from fedssl.command.reasons import causes, follows
from fedssl.grid.settings_diff import ABSENT, settings_diff
from fedssl.record.read import Record
from tests.unit.commands import data, fedssl
from tests.unit.figures import shipped_plan
from tests.unit.results import CELL, MODEL, sign

BEFORE = (
    "'results/demo/state/pretrain/63068d0701d83390',{'federation': {'rounds': 4, 'clients': 8}}"
)
NOW = "'results/demo/state/pretrain/1d3df8d3ca935185',{'federation': {'rounds': 9, 'clients': 8}}"
CHANGED = "Params have changed since last execution: Union of exclusive params before and now "
CHANGED += "across all output: before: {} now: {} "


def test_what_records_say_of_settings_comes_before_snakemakes_reason(folder, monkeypatch):
    differs = ("optimiser.lr: 0.06 -> 0.9",)
    job = PlannedJob("pretrain", {}, (f"results/demo/{MODEL}",), "Forced execution", differs)
    monkeypatch.setattr("fedssl.command.dry_run.planned_jobs", lambda *_, **__: [job])
    assert data("explain", CELL)[0]["causes"] == list(differs)
    assert differs[0] in fedssl("explain", CELL).stdout


@pytest.mark.parametrize("stage", ["pretrain", "evaluate", "maps"])
def test_explain_of_a_cell_has_its_jobs_wherever_they_write(folder, monkeypatch, stage):
    other = CELL.replace("fedavg", "fedu")
    jobs = [
        PlannedJob("any", {}, (f"results/demo/{stage}/{cell}/x",), "Missing output files: x")
        for cell in (CELL, other)
    ]
    monkeypatch.setattr("fedssl.command.dry_run.planned_jobs", lambda *_, **__: jobs)
    for place in (CELL, f"results/demo/{stage}/{CELL}"):
        assert [job["outputs"] for job in data("explain", place)] == [list(jobs[0].outputs)]


def test_changes_are_found_at_any_depth():
    before, after = {"a": {"b": 1, "c": [2]}, "d": 0}, {"a": {"b": 1, "c": [3]}, "e": None}
    assert list(settings_diff(before, after)) == [
        ("a.c", [2], [3]),
        ("d", 0, ABSENT),
        ("e", ABSENT, None),
    ]
    assert list(settings_diff(after, after)) == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (CHANGED.format(BEFORE, NOW), ["federation.rounds: 4 -> 9"]),
        (
            CHANGED.format("{'fedssl.a': '0123456789abcdef'}", "{'fedssl.a': 'f123456789abcdef'}"),
            ["code was edited: fedssl.a"],
        ),
        (
            CHANGED.format(
                "{'fedssl.a': '0123456789abcdef', 'fedssl.b': '0123456789abcdef'}",
                "{'fedssl.a': '0123456789abcdef'}",
            ),
            ["code is no longer used: fedssl.b"],
        ),
        (CHANGED.format("<nothing exclusive>", "3"), ["a parameter of its rule has changed"]),
        ("Missing output files: a, b", ["has not run, or its files are gone"]),
        ("Input files updated by another job: a, b", []),
        ("Updated input files: data/a", ["newer input: data/a"]),
        (
            f"Missing output files: a; {CHANGED.format(BEFORE, NOW)}",
            ["has not run, or its files are gone", "federation.rounds: 4 -> 9"],
        ),
    ],
)
def test_reasons_are_told_as_a_person_would(reason, expected):
    assert causes(reason) == expected


def test_a_job_that_only_follows_names_what_it_follows():
    assert follows("Input files updated by another job: a, b; Code has changed") == ["a", "b"]
    assert follows("Missing output files: a") == []


def test_costs_are_those_of_the_most_alike_jobs_and_never_invented(folder):
    measured = measured_jobs("results/demo")
    trained = next(record for record in measured if record.rule == "pretrain")
    wildcards = trained.content["wildcards"] | {"seed": "1"}
    known = PlannedJob("pretrain", wildcards, ("model",), "")
    never = PlannedJob("audit", {}, ("audit.json",), "")
    one, two = costs([known, known, never], Estimator(shipped_plan(), measured, []))
    assert (one.jobs, one.measured) == (2, 1)
    assert one.hours == pytest.approx(2 * trained.content["seconds"] / 3600)
    assert one.sent_bytes == 2 * 2000
    size = sum(path.stat().st_size for path in trained.files("outputs"))
    assert one.disk_bytes == 2 * size
    assert (two.measured, two.hours, two.disk_bytes, two.sent_bytes) == (0, None, None, None)


@pytest.mark.parametrize(
    ("hours", "text"),
    [(3e-5, "0.1 s"), (0.5, "30.0 min"), (1.0, "1.0 h"), (1234.5, "1,234.5 h"), (0.0, "0.0 s")],
)
def test_a_time_is_told_in_the_unit_that_suits_it(hours, text):
    assert duration(hours) == text


def test_costs_of_a_large_grid_take_no_longer_than_its_jobs(tmp_path):
    facts = {"seconds": 36.0, "hardware": {"gpu": None}, "outputs": {}, "rule": "pretrain"}
    grid = [
        {"variant": f"v{number % 50}", "split": f"s{number // 50}", "seed": str(number)}
        for number in range(5000)
    ]
    measured = [
        Record(tmp_path / f"{place}.json", tmp_path, facts | {"wildcards": wildcards}, "")
        for place, wildcards in enumerate(grid)
    ]
    jobs = [PlannedJob("pretrain", wildcards, ("model",), "") for wildcards in grid]
    unlike = PlannedJob("pretrain", {"variant": "v7", "split": "new"}, ("model",), "")
    started = time.process_time()
    (cost,) = costs([*jobs, unlike], Estimator(shipped_plan(), measured, []))
    assert time.process_time() - started < 5  # seconds of this process
    assert (cost.jobs, cost.measured, cost.hours) == (5001, 5000, pytest.approx(50.01))


def test_costs_prefer_the_same_encoder(folder):
    sign(
        Path("results/demo/pretrain", CELL, "provenance.json"),
        lambda content: content.update(seconds=3600.0),
    )
    other = Path("results/demo/pretrain", CELL.replace("resnet18", "vit"))
    shutil.copytree(Path("results/demo/pretrain", CELL), other)

    def change(content: dict[str, Any]) -> None:
        content["wildcards"]["arch"] = "vit"
        content["seconds"] = 7200.0

    sign(other / "provenance.json", change)
    for arch, hours in (("resnet18", 1.0), ("vit", 2.0)):
        job = PlannedJob("pretrain", {"arch": arch, "variant": "base"}, ("model",), "")
        found = costs([job], Estimator(shipped_plan(), measured_jobs("results/demo"), []))
        assert found[0].hours == hours
    assert measured_jobs("no/such/folder") == []
