"""Compute retrieval hits, whose mean is R@k, the main metric of fassl."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fedssl.errors import UserError
from fedssl.evaluation.similarity import cosine_chunks


@torch.no_grad()
def retrieval_hits(
    queries: Tensor,
    gallery: Tensor,
    *,
    query_labels: Tensor,
    gallery_labels: Tensor,
    ks: Sequence[int],
    chunk_rows: int | None = None,
) -> Tensor:
    """Return whether one of the k nearest rows has the query's label, (queries, len(ks)) bool.

    R@k is the mean of a column. The similarity is the cosine. Of equally similar rows, those of
    the lowest class are nearer, as in kNN.

    Args:
        queries: (num_queries, dim) features.
        gallery: (num_gallery, dim) features of the training split.
        query_labels: (num_queries,) classes.
        gallery_labels: (num_gallery,) classes.
        ks: sizes of the retrieved set; a k above the size of the gallery retrieves all of it.
        chunk_rows: number of queries compared at a time; chosen by memory if None.

    Raises:
        UserError: a k, a shape or a feature is out of range.
    """
    _check(queries, gallery, query_labels=query_labels, gallery_labels=gallery_labels, ks=ks)
    classes, wanted = gallery_labels.to(gallery.device), query_labels.to(gallery.device)
    ranks = [wanted.new_empty(0)]
    for place, similarity in cosine_chunks(queries, gallery, chunk_rows=chunk_rows):
        ranks.append(_rows_before_first_hit(similarity, classes, wanted=wanted[place, None]))
    # If the gallery lacks the class of a query, all rows rank before its first hit. With k clamped
    # to the size of the gallery, such a query is never a hit.
    cuts = torch.tensor(ks, device=gallery.device).clamp(max=len(gallery))
    return (torch.cat(ranks)[:, None] < cuts).to(queries.device)


def _rows_before_first_hit(similarity: Tensor, classes: Tensor, *, wanted: Tensor) -> Tensor:
    """Return the number of gallery rows that rank above the first one of the query's class."""
    # One pass over the row finds the rank, which answers all k at once without sorting.
    nearest = similarity.where(classes == wanted, -torch.inf).amax(dim=1, keepdim=True)
    before = (similarity > nearest) | ((similarity == nearest) & (classes < wanted))
    return before.sum(dim=1)


def _check(
    queries: Tensor,
    gallery: Tensor,
    *,
    query_labels: Tensor,
    gallery_labels: Tensor,
    ks: Sequence[int],
) -> None:
    if not ks or min(ks) < 1:
        raise UserError(f"Retrieval: k is {list(ks)}; it must be one or more numbers from 1.")
    for name, rows, labels in (
        ("queries", queries, query_labels),
        ("gallery rows", gallery, gallery_labels),
    ):
        if labels.shape != rows.shape[:1]:
            shape = f"{tuple(labels.shape)} for {len(rows)} {name}"
            raise UserError(f"Retrieval: labels are {shape}; there must be one label per row.")
