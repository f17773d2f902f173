"""The verdicts to expect of a number of seeds: of tables, and of claims."""

from itertools import pairwise
from math import sqrt
from typing import Any

import pytest
from scipy.stats import norm, t

from fedssl.command.expected_verdicts import (
    expected_claims,
    expected_spreads,
    expected_tables,
)
from fedssl.paper.simulated_runs import (
    MARGINAL,
    true_margin,
)
from fedssl.paper.verdicts.claim_test import FAILS, HOLDS
from fedssl.paper.verdicts.hypotheses import (
    AllOf,
    AnyOf,
    Every,
    Near,
    SomeAboveAll,
    Together,
)
from fedssl.paper.verdicts.power import Scatter
from fedssl.paper.verdicts.seed_spread import Group
from tests.unit.expected import DEMO, ROWS, above, paper, small


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_the_width_is_that_of_the_formula(seeds):
    averages, both = expected_tables(small(), seeds=seeds, scatter=Scatter(0.7), resolution=3.0)
    width = 2 * t.ppf(0.975, len(ROWS) * (seeds - 1)) * 0.7 * sqrt(1 + 1 / seeds)
    assert averages.widths == pytest.approx([width / sqrt(2)] * 2)
    assert both.widths == pytest.approx([width / sqrt(2), width])


def test_tasks_that_scatter_alike_share_their_degrees_of_freedom():
    _, tables = paper()
    spreads = expected_spreads(tables.truth.values(), seeds=3, scatter=Scatter(0.7))
    models: dict[Group, set[str | None]] = {}
    for cell in tables.truth.values():
        if cell.model and cell.group.protocol == "knn" and " " not in cell.group.task:
            models.setdefault(cell.group, set()).add(cell.model)
    assert len(models) > 2
    for group in models:
        assert spreads[group].sd == pytest.approx(0.7)
        assert spreads[group].degrees == 2 * sum(map(len, models.values()))


def test_the_seeds_needed_are_the_fewest_that_are_narrow_enough():
    def widest(seeds: int, sd: float = 0.7) -> Any:
        return expected_tables(small(), seeds=seeds, scatter=Scatter(sd), resolution=3.0)[1]

    needed = widest(3).seeds_needed
    assert widest(1).seeds_needed == needed  # from one seed on, no width is known
    assert widest(needed).widths[1] <= 3 < widest(needed - 1).widths[1]
    # 2 * 1.96 s is what infinitely many seeds leave.
    limit = 3 / (2 * norm.ppf(0.975))
    assert widest(3, sd=limit * 1.001).seeds_needed is None
    assert widest(3, sd=limit * 0.95).seeds_needed is not None


def test_a_narrow_interval_reproduces_all_but_five_percent_and_a_wide_one_none():
    narrow, wide = (
        expected_tables(small(), seeds=5, scatter=Scatter(sd), resolution=3.0)[1]
        for sd in (0.2, 2.0)
    )
    assert narrow.inconclusive == 0
    assert narrow.reproduced == pytest.approx(0.95, abs=0.05)
    assert wide.reproduced == 0
    assert wide.inconclusive + wide.differs == 1


def test_one_seed_decides_nothing(few_runs):
    _, tables = paper()
    how = {"seeds": 1, "scatter": Scatter(0.1)}
    found = expected_tables(tables, **how, resolution=3.0)
    assert {(table.inconclusive, table.widths) for table in found} == {(1.0, None)}
    assert {claim.decided for claim in expected_claims(tables, **how)} == {0.0}


def test_more_seeds_decide_more():
    tables = small(
        clear=Every((above("a", "d"),)),
        close=Every((above("a", "b"),)),
        closer=Every((above("b", "c"),)),
        wrong=Every((above("c", "a"),)),
    )
    by_seeds = [
        [claim.decided for claim in expected_claims(tables, seeds=seeds, scatter=Scatter(0.7))]
        for seeds in (1, 2, 4, 8, 16, 32)
    ]
    for fewer, more in pairwise(by_seeds):
        assert all(a <= b + 0.05 for a, b in zip(fewer, more, strict=True))
    assert by_seeds[1][0] == 1 and min(by_seeds[-1]) >= 0.8 and max(by_seeds[1][1:]) < 0.8


@pytest.mark.parametrize(
    ("hypothesis", "margin", "verdict"),
    [
        (Every((above("a", "b"), above("a", "c"))), 1.0, HOLDS),
        (Every((above("b", "a"),)), -1.0, FAILS),
        (Every((above("a", "b").plus(-1),)), 0.0, FAILS),
        (Near((above("a", "b"), above("c", "b")), 1.2), 0.2, HOLDS),
        (Near((above("a", "d"),), 1.0), -9.0, FAILS),
        (Together((above("a", "d"), above("c", "b"))), -0.5, MARGINAL),
        (Together((above("a", "d"), above("c", "a"))), -1.5, FAILS),
        (Together((above("d", "a"), above("c", "b"))), -10.0, FAILS),
        (AllOf((Every((above("a", "b"),)), Every((above("b", "c"),)))), 0.5, HOLDS),
        (AnyOf((Every((above("b", "a"),)), Every((above("b", "c"),)))), 0.5, HOLDS),
        (SomeAboveAll(((above("b", "a"), above("b", "c")), (above("a", "c"),))), 1.5, HOLDS),
    ],
)
def test_the_margin_in_print_is_that_of_the_closest_cell(hypothesis, margin, verdict):
    tables = small(claim=hypothesis)
    assert true_margin(hypothesis, tables.truth) == pytest.approx(margin)
    assert tables.printed == {"claim": verdict}


def test_only_numbers_that_get_a_verdict_are_compared():
    _, tables = paper()
    misprint = ("2", "FVSSL R-18", "C-10 F.T")
    assert misprint in tables.truth and misprint not in tables.compared["fssuavl_table2"]
    quoted = {key for key, cell in tables.truth.items() if cell.model is None}
    assert {row for _, row, _ in quoted} == {"FedAnchor R-18"}
    # They are measured, and their published numbers are of other federations.
    rivals = ("ORCHESTRA R-18", "FedEMA R-18", "L-DAWA R-18", "FedU R-18")
    elsewhere = {("8", row, "C-10 L.P") for row in rivals}
    assert elsewhere <= tables.truth.keys()
    assert not elsewhere & set(tables.compared["fssuavl_table8"])
    assert not quoted & {key for keys in tables.compared.values() for key in keys}


def test_what_a_configuration_does_not_measure_is_left_out():
    _, every = paper()
    _, demo = paper(DEMO)
    assert demo.truth.keys() < every.truth.keys()
    assert set(demo.left_out) > set(every.left_out)
    assert set(demo.left_out) | set(demo.printed) == set(every.left_out) | set(every.printed)
    # Its printed form is about the round that was chosen on the test samples, ours is not.
    assert "selected-round-beats-last" in paper(study="fassl")[1].left_out
