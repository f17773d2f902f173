"""Facts that tell whether a score means anything, written next to it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedssl.evaluation.protocols import Features

COLLAPSED_RANK = 2.0
"""Effective rank below which an encoder counts as collapsed.

The features then vary along fewer than two directions. Random encoders have ranks above 10.
"""

FEATURE_FACTS = ("feature_rank", "collapsed", "constant_features", "unseen_classes")
"""Names of the facts of `feature_facts` in a score file."""

_ROWS = 2048  # enough for a rank, and a decomposition of 2048 x 512 takes a fraction of a second


def feature_facts(features: Features) -> dict[str, Any]:
    """Return the facts of a task's features.

    `feature_rank` is the effective rank of the queries, `collapsed` whether it is below
    `COLLAPSED_RANK`, `constant_features` the number of dimensions without any variation, and
    `unseen_classes` the number of the queries' classes without a training sample.
    """
    queries, rank = features.queries, effective_rank(features.queries)
    unseen = set(features.query_labels.tolist()) - set(features.memory_labels.tolist())
    constant = (queries.amax(dim=0) == queries.amin(dim=0)).sum()
    return {
        "feature_rank": round(rank, 2),
        "collapsed": rank < COLLAPSED_RANK,
        "constant_features": int(constant),
        "unseen_classes": len(unseen),
    }


def effective_rank(features: Tensor) -> float:
    """Return the effective rank of features (samples, dim): 0 if all rows are equal.

    exp of the entropy of the normalised singular values (Roy & Vetterli 2007; RankMe, Garrido et
    al. 2023), after the mean is subtracted: a ReLU's features share a large mean, which would
    hide everything else. At most `_ROWS` rows are used, evenly spaced.
    """
    rows = torch.linspace(0, len(features) - 1, min(_ROWS, len(features))).round().long()
    sample = features[rows.to(features.device)].double().cpu()
    values = torch.linalg.svdvals(sample - sample.mean(dim=0))
    # Equal inputs may differ by float32 rounding, depending on their place in a batch.
    if float(values[0]) <= 1e-6 * float(sample.norm()):
        return 0.0
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def chance(memory_labels: np.ndarray, query_labels: np.ndarray, *, k: int = 1) -> float:
    """Return the expected score of k random training samples, in percent.

    The probability that one of k training samples, drawn with replacement, has the query's class:
    the mean over queries of 1 - (1 - share of its class)^k. With equal classes and k = 1 it is
    100 / classes.
    """
    classes, counts = np.unique(memory_labels, return_counts=True)
    shares = dict(zip(classes.tolist(), (counts / len(memory_labels)).tolist(), strict=True))
    missed = [(1.0 - shares.get(label, 0.0)) ** k for label in query_labels.tolist()]
    return 100.0 * (1.0 - float(np.mean(missed)))


def duplicate_facts(correct: np.ndarray, duplicates: np.ndarray | None) -> Mapping[str, Any]:
    """Return how many scored samples are also training samples, and the score without them.

    Args:
        correct: (samples,) bool, whether the prediction is right.
        duplicates: (samples,) bool, whether a training sample has the same content; None if the
            bank does not say.
    """
    if duplicates is None:
        return {}
    others = correct[~duplicates]
    return {
        "duplicates": int(duplicates.sum()),
        "value_without_duplicates": 100.0 * float(others.mean()) if len(others) else None,
    }
