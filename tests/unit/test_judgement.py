"""Verdicts on the numbers of a table: their order, the pooled spread, ranks and comparability."""

import math
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from scipy import stats

from fedssl.paper.judgement import Number, comparability, judged
from fedssl.paper.seeds import Seeds


def number(
    row: str,
    *values: float,
    published: float | None = None,
    before: tuple[float, ...] = (20.0, 20.2, 19.9),
    column: str = "C-10 kNN",
    **changes: Any,
) -> Number:
    """Return a number whose seeds measured `values`, and `before` before training."""
    record = {
        **{"row": row, "column": column, "task": "cifar10", "protocol": "knn"},
        **{"measured": fmean(values), "n_seeds": len(values), "published": published},
    }
    start = dict(zip("0123", before, strict=False)) if before else {}
    own = dict(zip("0123", values, strict=False))
    models = {seed: ["model.safetensors"] for seed in own}
    seeds = Seeds(row, column, None, own, models=models, random_init=start)
    return replace(Number(record, seeds, held_to=published, arch="resnet18"), **changes)


def judge(*numbers: Number, scale: str = "paper", resolution: float = 3.0) -> list[dict[str, Any]]:
    return judged(numbers, scale=scale, resolution=resolution)


OTHERS = tuple(number(f"row {n}", 40.0 + n, 40.3 + n, 39.8 + n) for n in range(6))


def test_the_interval_is_of_one_run_and_its_deviation_is_pooled_over_the_table() -> None:
    own = number("ours", 50.0, 50.4, 49.9, published=50.1)
    found, *_ = judge(own, *OTHERS)
    cells = [n.seeds.values.values() for n in (own, *OTHERS) if n.seeds]
    squares = sum(sum((v - fmean(cell)) ** 2 for v in cell) for cell in cells)
    assert found["seed_degrees"] == 14
    assert found["seed_sd"] == pytest.approx(math.sqrt(squares / 14))
    half = stats.t(14).ppf(0.975) * found["seed_sd"] * math.sqrt(4 / 3)
    bounds = fmean((50.0, 50.4, 49.9)) - half, fmean((50.0, 50.4, 49.9)) + half
    assert (found["predicted_low"], found["predicted_high"]) == pytest.approx(bounds)
    assert (found["verdict"], found["delta"]) == ("reproduced", pytest.approx(0.0))


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"published": 55.0}, "differs", ""),
        ({"published": None}, "no-published-number", None),
        ({"published": 50.1, "not_comparable": "other clips"}, "not-comparable", "other clips"),
        ({"published": 55.0, "not_comparable": "other clips"}, "not-comparable", "other clips"),
        ({"published": 50.1, "before": ()}, "inconclusive", "random init was not measured"),
        (
            {"published": 50.1, "before": (50.0, 50.3, 49.8)},
            "uninformative",
            "the measured value is not above random init",
        ),
    ],
)
def test_verdicts_in_their_order(changes: dict[str, Any], verdict: str, reason: str | None) -> None:
    found, *_ = judge(number("ours", 50.0, 50.4, 49.9, **changes), *OTHERS)
    assert found["verdict"] == verdict
    assert found.get("reason") == reason


def test_a_wide_interval_says_how_many_seeds_would_do() -> None:
    noisy = [number(f"row {n}", 40.0 + n, 42.0 + n, 39.0 + n) for n in range(6)]
    found, *_ = judge(number("ours", 50.0, 51.9, 49.0, published=50.1), *noisy, resolution=7.7)
    assert found["verdict"] == "reproduced"
    found, *_ = judge(number("ours", 50.0, 51.9, 49.0, published=50.1), *noisy, resolution=7.0)
    assert found["verdict"] == "inconclusive" and found["seeds_needed"] > 3


def test_one_seed_everywhere_decides_nothing() -> None:
    alone = [number(f"row {n}", 50.0 + n, before=(20.0,), published=50.0) for n in range(3)]
    assert {found["verdict"] for found in judge(*alone)} == {"inconclusive"}


def test_a_scaled_run_compares_nothing() -> None:
    known = Number({"row": "theirs", "column": "C-10 kNN", "verdict": "published-only"})
    own = number("ours", 50.0, 50.4, 49.9, published=55.0)
    found = judge(own, known, *OTHERS, scale="scaled")
    assert [each["verdict"] for each in found[:2]] == ["scaled", "published-only"]
    assert not {"delta", "tau", "predicted_low"} & found[0].keys()


def test_the_untrained_encoder_of_another_arch_is_another_series() -> None:
    """With two encoders, both untrained spreads are known; nothing is mixed."""
    vit = replace(
        number("vit", 30.0, 30.2, 29.9, published=30.0, before=(9.0, 9.1, 8.9)), arch="vit"
    )
    found, *_ = judge(vit, number("ours", 50.0, 50.4, 49.9, published=50.1), *OTHERS)
    assert found["verdict"] == "reproduced"


def test_columns_are_ranked_apart_and_need_two_published_rows() -> None:
    ordered = [number(f"row {n}", 40.0 + n, 40.2 + n, published=41.0 + n) for n in range(4)]
    turned = [
        number(f"row {n}", 40.0 + n, 40.2 + n, published=50.0 - n, column="TINET kNN")
        for n in range(4)
    ]
    alone = number("row 0", 40.0, 40.2, published=41.0, column="KS2 kNN")
    found = {(r["row"], r["column"]): r for r in judge(*ordered, *turned, alone)}
    assert found["row 0", "C-10 kNN"]["tau"] == pytest.approx(1.0)
    assert found["row 3", "TINET kNN"]["tau"] == pytest.approx(-1.0)
    assert "tau" not in found["row 0", "KS2 kNN"]
    one = found["row 1", "C-10 kNN"]
    assert -1.0 <= one["tau_low"] <= one["tau"] <= one["tau_high"] <= 1.0


LOST = "some clips of the dataset are no longer available"


@pytest.mark.parametrize(
    ("flags", "tasks", "reason"),
    [
        ("", ["cifar10"], ""),
        ("collapsed", ["cifar10"], ""),
        (
            "absent-clips collapsed",
            ["vggsound"],
            "some clips of the dataset are no longer available",
        ),
        ("", ["cifar10", "advance"], "advance: split by place"),
    ],
)
def test_what_is_of_other_data_is_not_comparable(flags: str, tasks: list[str], reason: str) -> None:
    assert comparability(flags, tasks, {"advance": "split by place"}) == reason


def test_a_protocol_without_a_random_start_has_a_spread_next_to_others_that_have_one() -> None:
    """Fine-tuning does not score the encoder before training."""
    tuned = [
        number(f"row {n}", 80.0 + n, 80.3 + n, 79.8 + n, before=(), published=80.0 + 9 * n)
        for n in range(3)
    ]
    for each in tuned:
        each.record["protocol"] = "fine-tune"
    found = judge(*OTHERS, *tuned)[len(OTHERS) :]
    assert [each["verdict"] for each in found] == ["inconclusive", "differs", "differs"]
    assert all(each["seed_degrees"] == 6 for each in found)


def test_random_encoders_do_not_count_in_the_spread_of_training() -> None:
    random = number("random init", 20.0, 35.0, 5.0, before=())
    assert random.seeds is not None
    random = replace(random, seeds=replace(random.seeds, models={"0": [], "1": [], "2": []}))
    own = number("ours", 50.0, 50.4, 49.9, published=50.1)
    assert judge(own, *OTHERS, random)[0] == judge(own, *OTHERS)[0]
