"""Score features with the protocols that need nothing else: kNN, linear probe and retrieval."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from fedssl.evaluation import probe
from fedssl.evaluation.knn import knn_predict
from fedssl.evaluation.retrieval import retrieval_hits
from fedssl.evaluation.settings import Knn, LinearProbe


@dataclass(frozen=True)
class Features:
    """Features and labels of a task.

    Attributes:
        memory: (num_memory, dim) features of the training split.
        memory_labels: (num_memory,) classes.
        queries: (num_queries, dim) features of the scored split.
        query_labels: (num_queries,) classes.
        num_classes: number of classes.
    """

    memory: Tensor
    memory_labels: Tensor
    queries: Tensor
    query_labels: Tensor
    num_classes: int


@dataclass(frozen=True)
class Score:
    """The result of one protocol.

    Attributes:
        metric: name of the metric, such as "top-1 accuracy".
        value: value of the metric in percent.
        correct: (samples,) bool, whose mean is the value.
        columns: name -> one value per scored sample, such as the predicted class.
        k: number of neighbours or predictions that may be right.
        further: name -> another number about the same samples.
    """

    metric: str
    value: float
    correct: np.ndarray
    columns: dict[str, np.ndarray]
    k: int = 1
    further: dict[str, Any] = field(default_factory=dict)


def knn_score(features: Features, settings: Knn) -> Score:
    """Return the top-1 accuracy of kNN."""
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
    """Return the top-1 accuracy of a linear probe that is trained on the memory."""
    layer = probe.fit_probe(
        features.memory,
        features.memory_labels,
        num_classes=features.num_classes,
        settings=settings,
        seed=seed,
    )
    return top1(probe.predict(layer, features.queries), features.query_labels)


def top1(predicted: Tensor, labels: Tensor) -> Score:
    """Return the top-1 accuracy, averaged over samples and not over classes."""
    correct = predicted == labels
    value = 100.0 * float(correct.double().mean())
    columns = {"prediction": predicted.cpu().numpy()}
    return Score("top-1 accuracy", value, correct.cpu().numpy(), columns)


def recall(hits: Tensor, ks: Sequence[int]) -> Score:
    """Return R@k of hits, (samples, len(ks)); the value of the score is that of the first k."""
    recalls = [100.0 * float(hit.double().mean()) for hit in hits.unbind(1)]
    columns = {f"hit@{k}": hit.cpu().numpy() for k, hit in zip(ks, hits.unbind(1), strict=True)}
    further = {f"R@{k}": recall for k, recall in zip(ks, recalls, strict=True)}
    first = columns[f"hit@{ks[0]}"]
    return Score(f"R@{ks[0]}", recalls[0], first, columns, k=ks[0], further=further)


def task_hits(features: Features, *, ks: Sequence[int]) -> Tensor:
    """Return whether one of the k nearest rows has the query's class, (queries, len(ks)) bool."""
    return retrieval_hits(
        features.queries,
        features.memory,
        query_labels=features.query_labels,
        gallery_labels=features.memory_labels,
        ks=ks,
    )
