"""The protocols that need only features: what each predicts for every scored sample."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from fedssl.evaluation import probe
from fedssl.evaluation.knn import knn_predict
from fedssl.evaluation.retrieval import retrieval_hits
from fedssl.evaluation.settings import Knn, LinearProbe, Retrieval


@dataclass(frozen=True)
class Features:
    """Features and labels of a task: `memory` is its training split, `queries` what is scored."""

    memory: Tensor
    memory_labels: Tensor
    queries: Tensor
    query_labels: Tensor
    num_classes: int


@dataclass(frozen=True)
class Score:
    """One protocol's result: a headline in percent, its name, and columns a row per sample.

    `further` holds other numbers of the same samples, by name.
    """

    metric: str
    value: float
    columns: dict[str, np.ndarray]
    further: dict[str, Any] = field(default_factory=dict)


def knn_score(features: Features, settings: Knn) -> Score:
    """Return top-1 accuracy of the kNN monitor."""
    predicted = knn_predict(
        features.queries,
        features.memory,
        bank_labels=features.memory_labels,
        num_classes=features.num_classes,
        k=settings.k,
        temperature=settings.temperature,
    )
    return top1(predicted, features.query_labels)


def probe_score(features: Features, settings: LinearProbe, *, seed: int) -> Score:
    """Return top-1 accuracy of a linear probe that is trained on the memory."""
    layer = probe.fit_probe(
        features.memory,
        features.memory_labels,
        num_classes=features.num_classes,
        settings=settings,
        seed=seed,
    )
    return top1(probe.predict(layer, features.queries), features.query_labels)


def retrieval_score(features: Features, settings: Retrieval) -> Score:
    """Return R@k of the queries among the memory."""
    return recall(task_hits(features, ks=settings.ks), settings.ks)


def top1(predicted: Tensor, labels: Tensor) -> Score:
    """Return the share of samples whose class is the predicted one (micro-averaged top-1)."""
    correct = (predicted == labels).double().mean()
    return Score("top-1 accuracy", 100.0 * float(correct), {"prediction": predicted.cpu().numpy()})


def recall(hits: Tensor, ks: Sequence[int]) -> Score:
    """Return R@k of hits (samples, len(ks)): the first k is the headline, the others follow."""
    recalls = [100.0 * float(hit.double().mean()) for hit in hits.unbind(1)]
    columns = {f"hit@{k}": hit.cpu().numpy() for k, hit in zip(ks, hits.unbind(1), strict=True)}
    further = {f"R@{k}": recall for k, recall in zip(ks, recalls, strict=True)}
    return Score(f"R@{ks[0]}", recalls[0], columns, further)


def task_hits(features: Features, *, ks: Sequence[int]) -> Tensor:
    """Return (queries, len(ks)) bool: whether one of the k nearest has the query's class."""
    return retrieval_hits(
        features.queries,
        features.memory,
        query_labels=features.query_labels,
        gallery_labels=features.memory_labels,
        ks=ks,
    )
