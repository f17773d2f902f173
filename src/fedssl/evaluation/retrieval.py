"""Retrieval: is a query's class among its k nearest gallery samples? (fassl's main metric, R@k)."""

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
    """Return (num_queries, len(ks)) bool: whether one of the k nearest has the query's label.

    R@k is the mean of a column, and R@1 the accuracy of one nearest neighbour. Exact, by cosine
    similarity; among equally similar rows those of the lowest class are nearer, as in kNN.

    Args:
        queries: (num_queries, dim) features.
        gallery: (num_gallery, dim) features of the training split.
        query_labels: (num_queries,) classes.
        gallery_labels: (num_gallery,) classes.
        ks: Sizes of the retrieved set; one larger than the gallery retrieves all of it.
        chunk_rows: Queries compared at once; by default as many as memory is set aside for.

    Raises:
        UserError: A k, a shape or a feature is out of range.
    """
    _check(queries, gallery, query_labels=query_labels, gallery_labels=gallery_labels, ks=ks)
    classes, wanted = gallery_labels.to(gallery.device), query_labels.to(gallery.device)
    ranks = [wanted.new_empty(0)]
    for place, similarity in cosine_chunks(queries, gallery, chunk_rows=chunk_rows):
        ranks.append(_rows_before_first_hit(similarity, classes, wanted=wanted[place, None]))
    # A class that the gallery lacks has all of it before its first hit, and is found at no k.
    cuts = torch.tensor(ks, device=gallery.device).clamp(max=len(gallery))
    return (torch.cat(ranks)[:, None] < cuts).to(queries.device)


def _rows_before_first_hit(similarity: Tensor, classes: Tensor, *, wanted: Tensor) -> Tensor:
    """Return, for each query (row), how many gallery samples rank above the first of its class."""
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
            raise UserError(f"Retrieval: labels are {shape}; it needs one label per row.")
