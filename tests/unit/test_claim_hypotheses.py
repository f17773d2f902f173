"""The hypothesis that an entry of claims.yaml states."""

from pathlib import Path

import pytest

from fedssl.paper.claims.claims import read_claims
from fedssl.paper.verdicts.contrast import Contrast
from fedssl.paper.verdicts.hypotheses import (
    Every,
    Near,
    SomeAboveAll,
    Together,
    cells_of,
    hypothesis_of,
)
from tests.unit.claim_tests import (
    gap,
    key,
    side,
)

CLAIMS = Path(__file__).parents[2] / "config/claims.yaml"


@pytest.mark.parametrize(
    ("id_", "kind", "margins"),
    [
        ("consistently-superior", Together, 30),
        ("beats-model-combination", Together, 10),
        ("epic-kitchens-competitive", Every, 2),  # each within its 2 points
        ("predictive-better-on-speech-commands", Every, 2),  # two against one
        ("image-r18-knn-gain", Near, 1),
        ("audio-best-from-30-percent-both", SomeAboveAll, 4),
        ("selected-round-beats-last", Every, 1),
    ],
)
def test_the_kind_of_hypothesis_of_shipped_claims(id_, kind, margins):
    claim = next(claim for claim in read_claims(CLAIMS) if claim["id"] == id_)
    found = hypothesis_of(claim["predicate"])
    assert isinstance(found, kind)
    assert len(found.margins) == margins


def test_a_margin_has_the_sign_of_its_relation():
    base = {"compare": "mean", "left": side(["a", "b"]), "right": side("c"), "by": 2}
    above = hypothesis_of({**base, "relation": ">"}).margins[0]
    assert above.weights == {key("a"): 0.5, key("b"): 0.5, key("c"): -1.0}
    assert above.constant == -2
    below = hypothesis_of({**base, "relation": "<"}).margins[0]
    assert below.weights == {name: -weight for name, weight in above.weights.items()}
    assert below.constant == 2


def test_the_row_over_which_a_number_counts_is_subtracted():
    left = {**side("a"), "over": "b"}
    found = hypothesis_of({"compare": "mean", "left": left, "relation": ">", "by": 1})
    assert found.margins[0] == Contrast({key("a"): 1.0, key("b"): -1.0}, -1.0)


def test_rows_times_columns_run_row_by_row():
    both = {**side(["a", "b"]), "column": ["X", "Y"]}
    found = hypothesis_of({"compare": "each", "left": both, "relation": ">", "by": 1})
    cells = [(row, column) for _, row, column in cells_of(found)]
    assert cells == [(row, column) for row in "ab" for column in ("X kNN", "Y kNN")]


def test_exceptions_are_left_out():
    each = {"compare": "each", "left": side(["a", "b"]), "relation": ">", "right": side(["c", "d"])}
    kept = hypothesis_of({**each, "except": [{"row": "a", "column": "X kNN"}]})
    assert kept.margins == (gap("b", "d"),)
    for unfit in ([{"row": "a"}, {"row": "b"}], [{"row": "c"}], [{"column": "Y kNN"}]):
        with pytest.raises(ValueError, match="must each leave out a cell of the left side, and"):
            hypothesis_of({**each, "except": unfit})


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(ValueError, match="2 cells cannot each be compared with one of 3"):
        hypothesis_of(
            {
                "compare": "each",
                "left": side(["a", "b"]),
                "relation": ">",
                "right": side(["c", "d", "e"]),
            }
        )
    with pytest.raises(ValueError, match="has no test"):
        hypothesis_of({"compare": "max", "left": side("a"), "relation": "=", "right": side("b")})
