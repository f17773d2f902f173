"""Classify by weighted k nearest neighbours on frozen features (Wu et al. 2018, section 3.4)."""

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
    # After sorting by class, the first of several equally similar rows has the lowest class.
    labels, order = bank_labels.to(bank.device, torch.int64).sort(stable=True)
    k = min(k, len(labels))
    predictions = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
    for place, similarity in cosine_chunks(queries, bank[order], chunk_rows=chunk_rows):
        nearest, index = _nearest(similarity, k)
        scores = _class_scores(nearest, labels[index], num_classes=num_classes, t=temperature)
        predictions[place] = scores.argmax(dim=1).to(queries.device)
    return predictions


def _nearest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest similarities of each row and their columns; the first of ties."""
    values, index = similarity.topk(min(k + 1, similarity.shape[1]), dim=1)
    if k == similarity.shape[1]:
        return values, index
    # topk may return any of several equal columns. That matters only if the k-th and the next
    # value are equal, so only those rows are selected again.
    tied = values[:, k - 1] == values[:, k]
    values, index = values[:, :k], index[:, :k]
    if tied.any():
        settled = _first_of_equals(similarity[tied], values[tied, -1:], k=k)
        index = index.index_put((tied,), settled)
        values = similarity.gather(1, index)
    return values, index


def _first_of_equals(similarity: Tensor, threshold: Tensor, *, k: int) -> Tensor:
    """Return the k columns of each row that exceed `threshold`, or are the first to equal it."""
    above, equal = similarity > threshold, similarity == threshold
    missing = k - above.sum(dim=1, keepdim=True)
    chosen = above | (equal & (equal.cumsum(dim=1) <= missing))
    return chosen.nonzero()[:, 1].view(-1, k)


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
