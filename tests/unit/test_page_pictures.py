"""The pictures of the report page: which numbers they draw, and where."""

from fedssl.paper.page.claims import claim_counts, linked, read_claims
from fedssl.paper.page.pictures import forest, gain_lanes, scatter


def claim(name: str, published: str, margin: str, **others: str) -> dict[str, str]:
    row = {
        "id": name,
        "paper": "p",
        "published": published,
        "published_margin": margin,
        "published_evidence": "",
        "measured": "not-run",
        "measured_margin": "",
        "measured_evidence": "",
        "low": "",
        "high": "",
        "scaled": "False",
    }
    return row | others


CLAIMS = read_claims(
    [
        claim("a-holds", "holds", "4"),
        claim("b-none", "undecided", ""),
        claim("c-fails", "fails", "-1", measured="holds", measured_margin="1", scaled="True"),
    ],
    places={},
)


def test_claims_that_fail_come_first_and_scaled_ones_have_no_verdict() -> None:
    assert [found["id"] for found in CLAIMS] == ["c-fails", "b-none", "a-holds"]
    counts = claim_counts(CLAIMS)
    assert counts["published"] == {"fails": 1, "undecided": 1, "holds": 1}
    assert counts["measured"] == {"not-run": 2}
    assert counts["compared"] == {"scaled": 1}


def test_the_forest_is_sorted_by_margin_and_counts_what_it_leaves_out() -> None:
    drawn = forest(CLAIMS)
    assert [row["id"] for row in drawn["rows"]] == ["c-fails", "a-holds"]
    first, last = drawn["rows"]
    assert last["published_margin"] == drawn["width"] / 2  # the largest margin reaches the edge
    assert first["published_margin"] == -drawn["width"] / 4  # the root of a quarter
    assert drawn["left_out"] == 1


def test_the_longest_name_of_a_cell_is_the_one_linked() -> None:
    places = {"table 2: A, B": "short", "table 2: A, B kNN": "long"}
    parts = linked("3.00 (table 2: A, B kNN)", places)
    assert parts == [("3.00 (", ""), ("table 2: A, B kNN", "long"), (")", "")]


def test_the_scatter_draws_what_has_both_numbers() -> None:
    cell = {
        "slug": "x",
        "verdict": "scaled",
        "published": 25.0,
        "published_text": "25.00",
        "measured": 50.0,
        "text": "50.00",
        "interval": [40.0, 60.0],
    }
    cells = [cell, cell | {"published": None}, cell | {"interval": None}, None]
    table = {
        "study": "p",
        "rows": [{"row": "r", "cells": cells}],
        "headings": ["A", "B", "C", "D"],
        "labels": ["kNN"] * 4,
    }
    drawn = scatter([table])
    (point,) = drawn["points"]
    assert (point["x"], point["y"]) == (75.0, 150.0)
    assert (point["high"], point["low"]) == (120.0, 180.0)


def test_encoders_of_a_method_and_modality_share_a_lane() -> None:
    row = {
        "row": "r",
        "study": "p",
        "modality": "image",
        "axes": {"method": "simclr"},
        "pretrained_on": True,
        "gain": 10.0,
        "low": -5.0,
        "high": 20.0,
    }
    changes: list[dict] = [{}, {"modality": "audio"}, {"gain": None}, {}]
    rows = [row | change | {"anchor": f"gains-{n}"} for n, change in enumerate(changes, start=1)]
    drawn = gain_lanes([{"name": "gains", "rows": rows}])
    assert [len(lane["dots"]) for lane in drawn["lanes"]] == [1, 2]
    assert [dot["anchor"] for dot in drawn["lanes"][1]["dots"]] == ["gains-1", "gains-4"]
    assert drawn["lanes"][1]["dots"][0]["high"] == drawn["width"] / 2
