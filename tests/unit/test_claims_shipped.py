"""config/claims.yaml: what the papers' own numbers say of the papers' claims."""

from pathlib import Path

import pandas as pd
import pytest

from fedssl.paper.claims.claims import read_claims, write_claims
from fedssl.paper.claims.measured import COLUMNS
from tests.unit.figures import shipped as shipped_grid

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "claims.yaml"
PUBLISHED = sorted((ROOT / "config" / "published").glob("*.csv"))
PAPERS = ROOT.parent / "shared" / "papers"
FAILING = {
    "consistently-superior": -3.59,
    "paired-beats-two-experts": -1.17,
    "beats-model-combination": -0.06,
    "combination-loses-most-on-images-and-speech": -0.4517,
    "epic-kitchens-competitive": -0.7,
}
UNTABULATED = {
    "clusters-better-than-audio-only",
    "audio-best-from-30-percent-both",
    "audio-best-from-30-percent-both-on-audio-clients",
    "image-best-from-50-percent-both",
    "predictive-better-on-speech",
    "predictive-better-on-speech-commands",
    "feature-matching-better-on-other-audio",
    "backbone-only-improves-retrieval",
    "backbone-only-improves-retrieval-without-dov",
    "speech-peaks-at-round-1",
    "on-par-with-centralised",
}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("claims") / "claims.csv"
    write_claims(SHIPPED, PUBLISHED, tables=[], path=path)
    return pd.read_csv(path).set_index("id")


def test_the_claims_that_the_papers_own_numbers_refute(shipped):
    fails = shipped[shipped.published == "fails"]
    assert fails.published_margin.to_dict() == FAILING


def test_the_claims_that_the_papers_print_no_numbers_for(shipped):
    unknown = shipped[shipped.published == "undecided"]
    assert set(unknown.index) == UNTABULATED
    assert unknown.published_margin.isna().all()
    assert unknown.published_evidence.str.startswith("missing: ").all()


def test_all_other_claims_hold_on_the_papers_numbers(shipped):
    others = shipped.drop([*FAILING, *UNTABULATED])
    assert others.published.eq("holds").all() and (others.published_margin >= 0).all()
    assert len(others) == len(shipped) - 16 >= 12


def test_without_tables_nothing_was_run(shipped):
    assert shipped.measured.eq("not-run").all()
    told = {"measured", "measured_evidence"}
    assert shipped[[name for name in COLUMNS if name not in told]].isna().all(axis=None)


def test_the_exception_of_table_5_is_the_papers_and_not_enough(shipped):
    evidence = shipped.published_evidence["paired-beats-two-experts"]
    ours = "66.41 (table 5: FSSUAVL R-18, MNIST+FSDD A+V kNN)"
    assert evidence.startswith(f"{ours} is not above 67.58 (")


def test_the_chosen_round_is_measured_on_samples_that_did_not_choose_it():
    claims = {claim["id"]: claim for claim in read_claims(SHIPPED)}
    left = claims["selected-round-beats-last"]["measured"]["left"]
    assert left["protocol"] == "held-out-round"
    table = shipped_grid()[0].config["tables"]["fassl_prose"]
    held_out = {"column": left["column"], "protocol": "held-out-round"}
    (column,) = [entry for entry in table["columns"] if held_out.items() <= entry.items()]
    assert "held-out-round" in table["protocols"] and column["tasks"] == [
        *("speech-commands", "dov", "epic-sounds", "nsynth")
    ]


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("paired-beats-two-experts", ("67.58", "66.40")),
        ("beats-model-combination", ("12.33", "12.26")),
        ("epic-kitchens-competitive", ("35.89", "36.59")),
    ],
)
def test_a_refuted_claim_would_hold_on_another_number(tmp_path, claim, wrong):
    files = []
    for path in PUBLISHED:
        files.append(tmp_path / path.name)
        files[-1].write_text(path.read_text(encoding="utf-8").replace(*wrong), encoding="utf-8")
    write_claims(SHIPPED, files, tables=[], path=tmp_path / "claims.csv")
    frame = pd.read_csv(tmp_path / "claims.csv").set_index("id")
    assert frame.published[claim] == "holds"


@pytest.mark.parametrize(
    ("paper", "name"), [("fssuavl", "fssuavl.txt"), ("fassl", "fassl-review.txt")]
)
def test_quotes_are_verbatim(paper, name):
    if not (PAPERS / name).is_file():
        pytest.skip(f"the text {name} of the paper is not at hand")
    text = " ".join((PAPERS / name).read_text(encoding="utf-8").split())
    quotes = [claim["quote"] for claim in read_claims(SHIPPED) if claim["paper"] == paper]
    assert quotes and [quote for quote in quotes if quote not in text] == []
