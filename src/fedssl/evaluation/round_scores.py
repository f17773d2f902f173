"""Score the global models of all kept rounds on a task, and choose the best round (FASSL).

FASSL chooses the best round on the samples that its score is computed on, so that score is too
optimistic. For comparison, a second score is held out: for each half of the samples, the round is
chosen on the other half.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fedssl.data.banks.bank import open_bank
from fedssl.device import prepare_device
from fedssl.evaluation.job_files import write_metric
from fedssl.evaluation.protocols import recall
from fedssl.evaluation.round_models import RANDOM_ENCODER, RoundScore, RoundScorer
from fedssl.evaluation.settings import RoundSettings
from fedssl.evaluation.stored_scores import ScoreStore
from fedssl.federation.checkpoint import load_state, save_state
from fedssl.federation.milestones import milestone
from fedssl.files import atomic_write
from fedssl.randomness import stream
from fedssl.typed import typed

# Round -> hits, (samples, len(ks)) bool.
Hits = dict[int, Tensor]


def score_rounds(
    settings: Mapping[str, Any],
    *,
    identity: Mapping[str, str],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    other_splits: Sequence[str],
    state: str,
) -> dict[str, Any]:
    """Score the models of all kept rounds by retrieval on one task; go on where a job was killed.

    Args:
        settings: settings of the job, see `RoundSettings`.
        identity: the wildcards that name the cell and the task; copied to the metric files.
        inputs: `milestones`, the folder of the models; `bank` and `normalisation` as in `evaluate`;
            if `evaluate` has scored them, the metric and the samples of the random encoder
            (`random_init`, `random_init_samples`) and of the final `model` (`final`,
            `final_samples`).
        outputs: files to write: `scores`, R@k of each round; `samples`, the hits of each sample;
            `best_round` and `held_out_round`, metric files; `best`, the model of the best round.
        other_splits: further splits of the bank whose jobs will find their scores in `state`.
        state: folder of the scores that jobs share.

    Returns:
        The facts for the provenance record.
    """
    own = typed(RoundSettings, settings)
    ks, device = own.retrieval.ks, prepare_device(own.threads, portable=own.portable)
    bank = open_bank(Path(inputs["bank"]).parent, device=device)
    store = ScoreStore(Path(state))
    scorer = RoundScorer(own, bank, inputs, other_splits=other_splits, store=store, device=device)
    scored, computed = scorer.scores()
    positions = bank.indices(own.split)
    samples = {"position": positions, "label": bank.labels[positions]}
    _write_rounds(scored, ks, samples=samples, outputs=outputs)
    hits = {round_number: score.hits for round_number, score in scored.items()}
    for name, (found, rounds) in _chosen(hits, seed=own.seed).items():
        result = recall(found, ks)
        # Of two rounds, the one with the lower rank.
        worst = min((scored[r].facts for r in rounds), key=lambda facts: facts["feature_rank"])
        result.further.update(worst, rounds=rounds)
        write_metric(
            result,
            bank,
            positions=positions,
            protocol=name.replace("_", "-"),
            identity=identity,
            path=outputs[name],
        )
    best = milestone(inputs["milestones"], best_round(hits))
    save_state(load_state(best), outputs["best"])
    scorer.release()
    return {"computed_rounds": computed}


def _chosen(hits: Hits, *, seed: int) -> dict[str, tuple[Tensor, list[int]]]:
    """Return the hits and the rounds of the best round, and of those chosen on the other half."""
    best = best_round(hits)
    half = halves(len(hits[best]), seed=seed)
    held_out = held_out_rounds(hits, half)
    return {
        "best_round": (hits[best], [best]),
        "held_out_round": (held_out_hits(hits, held_out, half=half), list(held_out)),
    }


def best_round(hits: Hits, samples: Tensor | None = None) -> int:
    """Return the round with the highest R@1, the earliest of equal ones.

    Args:
        hits: hits of each round.
        samples: mask of the samples to choose on; all samples if None.
    """
    # The random encoder is not a result of training. It is chosen only if no other round is kept.
    rounds = sorted(set(hits) - {RANDOM_ENCODER}) or [RANDOM_ENCODER]
    counts = {
        r: int((h[:, 0] if samples is None else h[samples, 0]).sum()) for r, h in hits.items()
    }
    return max(rounds, key=counts.__getitem__)


def halves(samples: int, *, seed: int) -> Tensor:
    """Return the mask of a random half, (samples,) bool; of an odd number, the larger half."""
    order = stream(seed, "held-out half").permutation(samples)
    return torch.from_numpy(order < (samples + 1) // 2)


def held_out_rounds(hits: Hits, half: Tensor) -> tuple[int, int]:
    """Return the rounds that are chosen on the half, and on the rest."""
    return best_round(hits, half), best_round(hits, ~half)


def held_out_hits(hits: Hits, rounds: tuple[int, int], *, half: Tensor) -> Tensor:
    """Return the hits of each sample in the round chosen on the other half, (samples, len(ks))."""
    on_half, on_rest = rounds
    return torch.where(half[:, None], hits[on_rest], hits[on_half])


def _write_rounds(
    scored: Mapping[int, RoundScore],
    ks: Sequence[int],
    *,
    samples: Mapping[str, np.ndarray],
    outputs: Mapping[str, str],
) -> None:
    scores = [
        {
            "round": r,
            "metric": f"R@{k}",
            "value": 100 * float(hit.double().mean()),
            "n_eval": len(hit),
            "feature_rank": score.facts["feature_rank"],
        }
        for r, score in scored.items()
        for k, hit in zip(ks, score.hits.unbind(1), strict=True)
    ]
    rows = [
        pd.DataFrame({"round": r, **samples}).assign(
            **{f"hit@{k}": score.hits[:, place].numpy() for place, k in enumerate(ks)}
        )
        for r, score in scored.items()
    ]
    # Fix the line end, so that the file has the same bytes on every system.
    with atomic_write(outputs["scores"]) as temporary:
        pd.DataFrame(scores).to_csv(temporary, index=False, lineterminator="\n")
    with atomic_write(outputs["samples"]) as temporary:
        pd.concat(rows, ignore_index=True).to_parquet(temporary, index=False)
