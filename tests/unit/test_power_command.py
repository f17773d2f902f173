"""`fedssl power`: the widths, the shares and the claims that it predicts, and its messages."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fedssl.command.expected_verdicts import (
    measured_scatter,
)
from fedssl.command.main import app
from fedssl.paper.seeds import Seeds, seeds_of, write_seeds
from tests.unit.expected import DEMO, paper


def power(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["power", "--configfile", str(DEMO), *arguments])


def data(*arguments: str) -> Any:
    result = power(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_json_has_what_the_text_says(few_runs):
    found = data("--seeds", "3", "--sd", "0.3")
    assert (found["seeds"], found["resolution"]) == (3, 3.0)
    assert found["runs"] == {"tables": 2, "claims": 3}
    (one,) = found["predictions"]
    assert (one["sd"], one["origin"]) == (0.3, "--sd")
    assert one["decided"] == sum(claim["decided"] >= 0.8 for claim in one["claims"])
    assert {"table", "numbers", "widths", "seeds_needed", "reproduced"} <= one["tables"][0].keys()
    text = power("--seeds", "3", "--sd", "0.3").stdout
    assert all(table["table"] in text for table in one["tables"])
    assert all(claim["claim"] in text for claim in one["claims"])
    assert (
        "2 simulated runs" in text
        and "50 simulated" not in text
        and max(map(len, text.splitlines())) <= 80
    )
    assert text.splitlines()[-1] == (
        f"With 3 seeds, {one['decided']} of {len(one['claims'])} claims are decided in at least "
        "80 % of runs."
    )


def test_the_seeds_are_those_of_the_configuration_and_the_scatter_is_assumed(
    few_runs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    found = data("--config", "seeds=[3, 4]")
    assert found["seeds"] == 2
    assert [(one["sd"], one["origin"]) for one in found["predictions"]] == [
        (sd, "assumed") for sd in (0.3, 0.7, 1.0)
    ]
    assert "of runs (sd 0.7)." in power("--seeds", "1").stdout


def test_the_scatter_is_that_of_the_results(few_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan, tables = paper(DEMO)
    table = Path(plan.paths.table("fssuavl_table2"))
    table.parent.mkdir(parents=True)

    def write(offsets: dict[str, float]) -> None:
        numbers = [
            Seeds(row, column, None, {seed: 50.0 + offset for seed, offset in offsets.items()})
            for _, row, column in tables.compared["fssuavl_table2"]
        ]
        write_seeds(numbers, seeds_of(table))

    write({"0": 0.0})
    assert measured_scatter(plan, [tables]) is None
    write({"0": -0.4, "1": 0.0, "2": 0.4})
    scatter = measured_scatter(plan, [tables])
    assert scatter is not None and scatter.by_group is not None
    tasks = {task for cell in tables.truth.values() for task in cell.group.task.split()}
    assert {group.task for group in scatter.by_group} == tasks
    assert list(scatter.by_group.values()) == pytest.approx([0.4] * len(scatter.by_group))
    (one,) = data()["predictions"]
    assert one["sd"] == pytest.approx(0.4) and one["origin"] == "measured in results/demo"
    assert data("--sd", "1.5")["predictions"][0]["sd"] == 1.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "--seeds is 0; it must be from 1 to 100."),
        (["--seeds", "101"], "--seeds is 101; it must be from 1 to 100."),
        (["--sd", "-1"], "--sd is -1; it must be a number of points above 0."),
        (["--sd", "0"], "--sd is 0; it must be a number of points above 0."),
        (["--sd", "nan"], "--sd is nan; it must be a number of points above 0."),
        (["--configfile", "none.yaml"], "--configfile is none.yaml, which does not exist."),
        (
            ["--config", "studies={fssuavl: {cells: []}}"],
            "This configuration measures no number that the papers print.",
        ),
    ],
)
def test_a_mistake_is_one_sentence(arguments, message):
    result = power(*arguments)
    assert (result.exit_code, result.stderr) == (2, f"fedssl: {message}\n")
