"""Printed tables and claims whose verdicts are predicted."""

from pathlib import Path

from fedssl.command.project import open_project
from fedssl.grid.plan import Plan
from fedssl.paper.simulated_runs import (
    PrintedTables,
    printed_tables,
    printed_verdicts,
)
from fedssl.paper.verdicts.contrast import Contrast
from fedssl.paper.verdicts.hypotheses import (
    Hypothesis,
)
from fedssl.paper.verdicts.power import TrueCell
from fedssl.paper.verdicts.seed_spread import Group

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config/demo.yaml"
ROWS = {"a": 60.0, "b": 59.0, "c": 58.5, "d": 50.0}
TASKS = ("X", "Y", "X Y")


def key(row: str, task: str = "X") -> tuple[str, str, str]:
    return "2", row, task


def above(row: str, other: str, task: str = "X") -> Contrast:
    return Contrast({key(row, task): 1.0, key(other, task): -1.0})


def small(**claims: Hypothesis) -> PrintedTables:
    """Four models on two tasks and their average."""
    truth = {
        key(row, task): TrueCell(row, Group(task, "knn"), value)
        for row, value in ROWS.items()
        for task in TASKS
    }
    printed = printed_verdicts(claims, truth)
    compared = {"averages": [key(row, "X Y") for row in ROWS], "all": list(truth), "none": []}
    return PrintedTables(truth, dict.fromkeys(truth, "vit"), compared, claims, printed, [])


def paper(*configfiles: Path, study: str = "fssuavl") -> tuple[Plan, PrintedTables]:
    project = open_project(configfiles)
    plan = Plan(project.grid, project.tree, ROOT)
    return plan, printed_tables(plan, study)
