"""Classify by weighted k nearest neighbours on frozen features (Wu et al. 2018, section 3.4)."""

import numpy as np
import torch
from torch import Tensor

from fedssl.errors import UserError
from fedssl.evaluation.checks import check_labels
from fedssl.evaluation.similarity import cosine_chunks

# Weights in (0, 1] become integers in this unit. A sum of integers does not depend on the order, so
# equal class scores are exactly equal on every device. Up to 2**22 neighbours fit in 63 bits.
_WEIGHT_UNITS = 2**40


@torch.no_grad()
def knn_predict(
    queries: Tensor,
    bank: Tensor,
    *,
    bank_labels: Tensor,
    num_classes: int,
    k: int,
    temperature: float,
    chunk_rows: int | None = None,
) -> Tensor:
    """Return the class of each query by a vote of its k nearest rows, (num_queries,) int64.

    A neighbour with cosine similarity s votes with the weight exp(s / temperature). Of equally
    similar rows, those of the lowest class are nearer; of equal scores, the lowest class wins. Up
    to float32 rounding, the result depends on neither the order of the bank nor the chunks.

    Args:
        queries: (num_queries, dim) features; they need not be normalised.
        bank: (num_bank, dim) features of labelled samples. Its device computes.
        bank_labels: (num_bank,) classes in [0, num_classes).
        num_classes: number of classes.
        k: number of neighbours; a smaller bank votes as a whole.
        temperature: in units of cosine similarity.
        chunk_rows: number of queries compared at a time; chosen by memory if None.

    Raises:
        UserError: a setting, a shape, a label or a feature is out of range.
    """
    _check_settings(k, temperature, num_classes=num_classes)
    check_labels(bank_labels, samples=len(bank), num_classes=num_classes)
    labels = bank_labels.to(bank.device, torch.int64)
    by_class = labels.argsort(stable=True)
    k = min(k, len(labels))
    predictions = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
    for place, similarity in cosine_chunks(queries, bank, chunk_rows=chunk_rows):
        nearest, index = _nearest(similarity, k, by_class=by_class)
        scores = _class_scores(nearest, labels[index], num_classes=num_classes, t=temperature)
        predictions[place] = scores.argmax(dim=1).to(queries.device)
    return predictions


def _nearest(similarity: Tensor, k: int, *, by_class: Tensor) -> tuple[Tensor, Tensor]:
    """Return the k largest similarities of each row and their columns, in no particular order.

    Of columns that are equal, those that come first in `by_class` are taken.
    """
    rows, columns = similarity.shape
    threshold = _kth_largest(similarity, k)
    chosen = similarity >= threshold
    place = _places(chosen)
    if len(place) > rows * k:
        tied = chosen.sum(dim=1) > k
        chosen[tied] = _first_of_equals(similarity[tied], threshold[tied], k, by_class=by_class)
        place = _places(chosen)
    index = (place % columns).view(rows, k)
    return similarity.gather(1, index), index


def _kth_largest(similarity: Tensor, k: int) -> Tensor:
    """Return the k-th largest value of each row, (rows, 1)."""
    if similarity.is_cuda:
        return similarity.topk(k, dim=1).values[:, -1:]
    # On a CPU, NumPy selects in a third of the time of torch for 10,000 columns.
    smaller = similarity.shape[1] - k
    parted = np.partition(similarity.numpy(), smaller, axis=1)
    return torch.from_numpy(parted[:, smaller, None].copy())


def _places(chosen: Tensor) -> Tensor:
    """Return the places of the true values among all, row by row."""
    if chosen.is_cuda:
        return chosen.flatten().nonzero()[:, 0]
    return torch.from_numpy(np.flatnonzero(chosen.numpy()))


def _first_of_equals(similarity: Tensor, threshold: Tensor, k: int, *, by_class: Tensor) -> Tensor:
    """Return whether a column exceeds the threshold, or is among the first that equal it."""
    chosen = similarity > threshold
    missing = k - chosen.sum(dim=1, keepdim=True)
    equal = (similarity == threshold)[:, by_class]
    chosen[:, by_class] |= equal & (equal.cumsum(dim=1) <= missing)
    return chosen


def _class_scores(nearest: Tensor, classes: Tensor, *, num_classes: int, t: float) -> Tensor:
    """Return the sums of exp(s / t) per class in integer units, (rows, num_classes)."""
    # Subtracting the largest similarity does not change the argmax, and no temperature overflows.
    # The exp of equal inputs can differ in the last bit between vector lanes. In float64, rounding
    # to units hides that, so ties stay ties.
    nearest = nearest.double()
    weights = ((nearest - nearest.amax(dim=1, keepdim=True)) / t).exp()
    units = (weights * _WEIGHT_UNITS).round().long()
    return units.new_zeros(len(units), num_classes).scatter_add_(1, classes, units)


def _check_settings(k: int, temperature: float, *, num_classes: int) -> None:
    for name, value in (("k", k), ("num_classes", num_classes)):
        if value < 1:
            raise UserError(f"kNN: {name} is {value}; it must be at least 1.")
    if not 0 < temperature < float("inf"):
        raise UserError(f"kNN: temperature is {temperature}; it must be positive and finite.")
