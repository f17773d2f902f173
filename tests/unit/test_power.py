import numpy as np
import pytest

from fedssl.paper.verdicts.claim_test import HOLDS, UNDECIDED
from fedssl.paper.verdicts.contrast import Contrast, Printed
from fedssl.paper.verdicts.hypotheses import Every
from fedssl.paper.verdicts.power import Scatter, TrueCell, claim_power, simulate
from fedssl.paper.verdicts.seed_spread import Group

TASKS = ("X", "Y")


def cell(row: str, task: str, value: float, *, model: str | None = "") -> TrueCell:
    return TrueCell(row if model == "" else model, Group(task, "knn"), value)


def draw(truth, *, seeds=3, scatter=None):
    rng = np.random.default_rng(0)
    return simulate(truth, seeds=seeds, scatter=scatter or Scatter(1.0), rng=rng)


def test_an_average_is_the_average_of_its_tasks_seed_by_seed():
    truth = {("2", "a", task): cell("a", task, 50.0) for task in (*TASKS, "X Y")}
    drawn = draw(truth)
    for seed in ("0", "1", "2"):
        tasks = [drawn["2", "a", task].values[seed] for task in TASKS]
        assert drawn["2", "a", "X Y"].values[seed] == pytest.approx(np.mean(tasks))


def test_a_model_in_two_tables_has_one_noise():
    drawn = draw({("2", "a", "X"): cell("a", "X", 50.0), ("8", "a", "X"): cell("a", "X", 50.2)})
    one, two = (np.array(list(series.values.values())) for series in drawn.values())
    assert two - one == pytest.approx(0.2)


def test_a_number_that_nobody_reruns_is_one_run():
    drawn = draw({("8", "a", "X"): cell("a", "X", 50.0, model=None)})["8", "a", "X"]
    assert isinstance(drawn, Printed)
    assert 0 < abs(drawn.value - 50) < 4


def test_shares_of_the_scatter():
    rows = range(2000)
    truth = {("2", f"{i}", t): cell(f"{i}", t, 0.0) for i in rows for t in TASKS}
    drawn = draw(truth, seeds=2, scatter=Scatter(2.0, seed_share=0.3, model_share=0.2))
    values = np.array([[list(drawn["2", f"{i}", t].values.values()) for t in TASKS] for i in rows])
    assert np.var(values - values.mean(axis=0)) == pytest.approx(4 * 0.7, rel=0.1)
    own = (values - values.mean(axis=0)).transpose(1, 0, 2).reshape(2, -1)
    assert np.corrcoef(own)[0, 1] == pytest.approx(0.2 / 0.7, abs=0.05)


def test_large_effects_are_decided_and_claims_without_numbers_left_out():
    truth = {("2", row, "X"): cell(row, "X", v) for row, v in (("a", 60), ("b", 50), ("c", 50))}
    gaps = {
        "large": ("a", "b"),
        "none": ("b", "c"),
        "not printed": ("a", "z"),
    }
    claims = {
        name: Every((Contrast({("2", one, "X"): 1.0, ("2", other, "X"): -1.0}),))
        for name, (one, other) in gaps.items()
    }
    found = claim_power(
        claims, truth, seeds=3, scatter=Scatter(0.7), runs=50, rng=np.random.default_rng(0)
    )
    assert found.keys() == {"large", "none"}
    assert found["large"][HOLDS] == 50
    assert found["none"][UNDECIDED] >= 45
    assert claim_power(
        claims, truth, seeds=1, scatter=Scatter(0.7), runs=5, rng=np.random.default_rng(0)
    )["large"] == {UNDECIDED: 5}
