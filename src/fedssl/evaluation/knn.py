"""The kNN monitor: weighted nearest neighbours on frozen features (Wu et al. 2018, section 3.4)."""

import torch
from torch import Tensor

from fedssl.errors import UserError
from fedssl.evaluation.similarity import cosine_chunks

# A weight in (0, 1] becomes an integer of this many units: a sum of integers is the same in every
# order, so equal class scores are exactly equal on any device. 2**22 neighbours fit in 63 bits.
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
    """Predict each query's class from its `k` most similar bank rows, each weighing exp(s / t).

    Exact, in float32, on the bank's device. Rows are normalised here, so s is the cosine. Among
    equally similar rows those of the lowest class are nearer; among equal scores the lowest class
    wins. So, float32 rounding aside, the order of the bank and the chunks do not matter.

    Args:
        queries: (num_queries, dim) features.
        bank: (num_bank, dim) features of labelled samples.
        bank_labels: (num_bank,) classes in [0, num_classes).
        num_classes: Number of classes.
        k: Number of neighbours; a smaller bank is used whole.
        temperature: t, in units of cosine similarity.
        chunk_rows: Queries compared at once; by default as many as memory is set aside for.

    Returns:
        (num_queries,) int64 predicted classes on the queries' device.

    Raises:
        UserError: A setting, a shape, a label or a feature is out of range.
    """
    _check_settings(k, temperature, num_classes=num_classes)
    _check_tensors(queries, bank, bank_labels=bank_labels, num_classes=num_classes)
    # Sorted by class, the first of several equal rows is the one of the lowest class.
    labels, order = bank_labels.to(bank.device, torch.int64).sort(stable=True)
    k = min(k, len(labels))
    predictions = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
    for place, similarity in cosine_chunks(queries, bank[order], chunk_rows=chunk_rows):
        nearest, index = _nearest(similarity, k)
        scores = _class_scores(nearest, labels[index], num_classes=num_classes, t=temperature)
        predictions[place] = scores.argmax(dim=1).to(queries.device)
    return predictions


def _nearest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the `k` largest similarities of each row and their columns, the first of equals."""
    values, index = similarity.topk(min(k + 1, similarity.shape[1]), dim=1)
    if k == similarity.shape[1]:
        return values, index
    # topk may take any of several equal columns: settle rows whose k-th and next are equal.
    tied = values[:, k - 1] == values[:, k]
    values, index = values[:, :k], index[:, :k]
    if tied.any():
        settled = _first_of_equals(similarity[tied], values[tied, -1:], k=k)
        index = index.index_put((tied,), settled)
        values = similarity.gather(1, index)
    return values, index


def _first_of_equals(similarity: Tensor, threshold: Tensor, *, k: int) -> Tensor:
    """Return the columns above `threshold`, filled up to `k` with the first that equal it."""
    above, equal = similarity > threshold, similarity == threshold
    missing = k - above.sum(dim=1, keepdim=True)
    chosen = above | (equal & (equal.cumsum(dim=1) <= missing))
    return chosen.nonzero()[:, 1].view(-1, k)


def _class_scores(nearest: Tensor, classes: Tensor, *, num_classes: int, t: float) -> Tensor:
    """Return (rows, num_classes) sums of exp(s / t) over each row's neighbours, as integers."""
    # Only differences matter to the argmax: less the largest, no temperature overflows. In
    # float64 an exp that rounds differently from one lane to the next does not split a tie.
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


def _check_tensors(queries: Tensor, bank: Tensor, *, bank_labels: Tensor, num_classes: int) -> None:
    if queries.ndim != 2 or bank.ndim != 2 or queries.shape[1] != bank.shape[1]:
        shapes = f"{tuple(queries.shape)} and {tuple(bank.shape)}"
        raise UserError(f"kNN: queries and bank are {shapes}; both must be (samples, dim).")
    if bank_labels.shape != bank.shape[:1] or len(bank) == 0:
        shapes = f"{tuple(bank_labels.shape)} for a bank of {len(bank)}"
        raise UserError(f"kNN: labels are {shapes}; it needs one label per row, and a row.")
    low, high = (int(extreme) for extreme in bank_labels.aminmax())
    if low < 0 or high >= num_classes:
        raise UserError(f"kNN: labels run from {low} to {high}; classes are 0..{num_classes - 1}.")
