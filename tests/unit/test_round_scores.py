"""FASSL's choice of a round: by hand-made hits, and on a small federation's kept rounds."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from fedssl.errors import UserError
from fedssl.evaluation.evaluate import evaluate
from fedssl.evaluation.round_scores import (
    best_round,
    halves,
    held_out_hits,
    held_out_rounds,
    score_rounds,
)
from fedssl.federation.milestones import kept_rounds, milestone
from fedssl.files import sha256
from tests.unit.federations import SETTINGS, lay_out, run
from tests.unit.figures import ROOT


def hits(**rounds: str) -> dict[int, torch.Tensor]:
    """hits(r1="0110") -> {1: one column of four samples}."""
    return {
        int(name[1:]): torch.tensor([[c == "1"] for c in text]) for name, text in rounds.items()
    }


def test_the_best_round_is_the_earliest_of_the_highest_and_never_the_random_encoder() -> None:
    assert best_round(hits(r0="1111", r1="0100", r4="0110", r6="1100")) == 4
    assert best_round(hits(r0="1111")) == 0, "nothing else is kept"
    first_half = torch.tensor([True, True, False, False])
    assert best_round(hits(r1="0011", r4="1000", r6="1100"), first_half) == 6


def test_a_held_out_sample_is_scored_in_the_round_that_the_other_half_chose() -> None:
    half = torch.tensor([True, True, False, False])
    own = hits(r1="1100", r4="0011")
    rounds = held_out_rounds(own, half)
    assert rounds == (1, 4)
    assert held_out_hits(own, rounds, half=half).flatten().tolist() == [False] * 4
    chosen = own[best_round(own)].double().mean()
    assert chosen == 0.5, "choosing on what is reported flatters: 50 % against 0 % held out"


def test_where_one_round_is_best_on_both_halves_nothing_is_flattered() -> None:
    half = halves(5, seed=0)
    own = hits(r1="00000", r4="11110")
    held_out = held_out_hits(own, held_out_rounds(own, half), half=half)
    assert torch.equal(held_out, own[4])


def test_halves_are_random_halves_by_seed() -> None:
    assert int(halves(101, seed=0).sum()) == 51
    assert torch.equal(halves(50, seed=3), halves(50, seed=3))
    assert not torch.equal(halves(50, seed=3), halves(50, seed=4))
    assert halves(1000, seed=0)[:500].sum() not in (0, 500)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rounds")
    inputs = lay_out(folder)
    run(inputs, folder, federation=SETTINGS["federation"] | {"kept_rounds": [0, 2, 4]})
    found = {"bank": inputs["audio_bank"], "normalisation": inputs["normalisation"]}
    settings = {
        **SETTINGS,
        "split": "test",
        "retrieval": {"ks": [1, 5]},
        "recalibrate_batch_norm": False,
    }
    others = yaml.safe_load((ROOT / "config/experiments.yaml").read_text())["evaluation"]
    scores = {**settings, **{protocol: others[protocol] for protocol in ("knn", "linear-probe")}}
    identity = {"task": "fsdd", "seed": "0"}
    names = {
        "scores": "rounds.csv",
        "samples": "rounds.parquet",
        "best_round": "best-round.json",
        "held_out_round": "held-out-round.json",
        "best": "best.safetensors",
    }
    score_rounds(
        settings,
        identity=identity,
        inputs=found | {"milestones": str(folder / "milestones")},
        outputs={key: str(folder / name) for key, name in names.items()},
        other_splits=[],
        state=str(folder / "scores"),
    )
    evaluate(
        scores,
        identity=identity,
        inputs=found | {"model": str(folder / "model.safetensors")},
        metrics={"retrieval": str(folder / "retrieval.json")},
    )
    evaluate(
        scores,
        identity=identity,
        inputs=found,
        metrics={"retrieval": str(folder / "random.json")},
    )
    return folder


def test_kept_rounds_score_as_they_would_have_when_they_ended(scored: Path) -> None:
    rounds = pd.read_csv(scored / "rounds.csv").query("metric == 'R@1'").set_index("round")
    last, random = (
        json.loads((scored / name).read_text()) for name in ("retrieval.json", "random.json")
    )
    assert rounds.index.tolist() == [0, 2, 4] == kept_rounds(scored / "milestones")
    assert rounds.loc[4, "value"] == last["value"] and last["R@5"] >= last["R@1"]
    assert rounds.loc[0, "value"] == random["value"]
    assert set(rounds["n_eval"]) == {20}
    kept, final = milestone(scored / "milestones", 4), scored / "model.safetensors"
    # The final model's file also holds facts of the training.
    assert {n: t.tolist() for n, t in load_file(kept).items()} == {
        n: t.tolist() for n, t in load_file(final).items()
    }


def test_every_number_follows_from_the_samples(scored: Path) -> None:
    samples = pd.read_parquet(scored / "rounds.parquet")
    for record in pd.read_csv(scored / "rounds.csv").to_dict("records"):
        own = samples[samples["round"] == record["round"]]
        column = record["metric"].replace("R@", "hit@")
        assert 100 * own[column].mean() == pytest.approx(record["value"], abs=1e-9)
    for name in ("best-round", "held-out-round"):
        metric = json.loads((scored / f"{name}.json").read_text())
        own = pd.read_parquet(scored / metric["predictions"])
        assert 100 * own["hit@1"].mean() == pytest.approx(metric["value"], abs=1e-9)
        assert (metric["protocol"], metric["n_eval"], len(own)) == (name, 20, 20)


def test_the_model_of_the_best_round_is_kept(scored: Path) -> None:
    chosen = json.loads((scored / "best-round.json").read_text())["rounds"][0]
    assert chosen in (2, 4)
    assert sha256(scored / "best.safetensors") == sha256(milestone(scored / "milestones", chosen))


def test_a_cell_that_kept_nothing_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"federation\.kept_rounds"):
        kept_rounds(tmp_path)
