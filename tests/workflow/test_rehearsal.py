"""A rehearsal as a user runs it: what is planned, measured and told."""

import json
import os
import subprocess
import sys

import pandas as pd

from tests.workflow.project import CONFIG, ROOT, Project


def test_the_papers_grid_is_rehearsed_by_few_jobs(copy: Project) -> None:
    jobs = copy.planned("rehearsal", config=())
    rehearsed = sum(count for rule, count in jobs.items() if rule.startswith("rehearse_"))
    assert f"({rehearsed} jobs of\nminutes)" in (ROOT / "docs/how-to/reproduce.md").read_text(
        encoding="utf-8"
    )
    assert not jobs.keys() & {"pretrain", "evaluate", "fine_tune", "score_rounds"}


def test_a_rehearsal_runs_no_whole_job_and_tells_what_all_will_cost(unfinished: Project) -> None:
    unfinished.run("--cores", "2", "--", "rehearsal")
    results = unfinished.root / "results/demo"
    assert not (results / "pretrain").exists() and not (results / "evaluate").exists()
    rates = pd.read_csv(results / "rehearsal.csv")
    # Two variants differ in the views of a step; two aggregators do not.
    assert rates.value_counts("rule").to_dict() == {"pretrain": 2, "evaluate": 1, "fine_tune": 1}
    budget = pd.read_csv(results / "budget.csv").set_index("target")
    whole = budget.loc["all"]
    assert whole["jobs"] == max(budget["jobs"]) and whole["core_hours"] > 0
    assert "rehearsal" in whole["estimated_from"] and "arithmetic" not in whole["estimated_from"]
    command = [sys.executable, "-m", "fedssl", "estimate", "all", "--json"]
    command += [word for file in CONFIG[1:] for word in ("--configfile", file)]
    env = {**os.environ, "PYTHONPATH": "src"}
    printed = subprocess.run(
        command, cwd=unfinished.root, env=env, capture_output=True, text=True, check=True
    ).stdout
    sources = {cost["rule"]: cost["source"] for cost in json.loads(printed)}
    expected = dict.fromkeys(("pretrain", "evaluate", "fine_tune"), "rehearsal")
    assert sources.items() >= expected.items()
    assert "bank_images" not in sources, "the banks are there: the rehearsal read them"
