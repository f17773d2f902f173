"""Equally large clusters of directions: what Orchestra's clients and its server compute.

Lubana et al. 2022, section 4. Rows have norm 1, so a product of rows is a cosine.
"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, softmax

_LOCAL_STEPS = 5
_LOCAL_SINKHORN = 10


def sinkhorn(
    scores: Tensor, *, sharpness: float = 25.0, iterations: int = 100, tolerance: float = 0.01
) -> Tensor:
    """Return soft assignments of rows to equally large clusters, (rows, clusters).

    Each row sums to 1, and each column to rows / clusters (Sinkhorn and Knopp 1967).

    Args:
        scores: similarity of each row to each cluster, (rows, clusters).
        sharpness: of the softmax with which the assignments start. Stated by the authors' code.
        iterations: most normalisations of columns and rows.
        tolerance: every tenth normalisation, stop if the sum of relative changes is below it.
    """
    rows, clusters = scores.shape
    start = softmax(scores * sharpness, dim=1)
    row_scale = scores.new_full((rows,), 1.0 / rows)
    for iteration in range(iterations):
        column_scale = 1.0 / (clusters * (start.T @ row_scale))
        scaled = 1.0 / (rows * (start @ column_scale))
        change = (row_scale / scaled - 1.0).abs().nansum()
        row_scale = scaled
        if iteration % 10 == 0 and change < tolerance:
            break
    return start * row_scale[:, None] * column_scale * rows


def local_clusters(points: Tensor, clusters: int) -> Tensor:
    """Return the centres of equally large clusters of a client's embeddings, (clusters, dim).

    paper: the first centres are points drawn at random, and so is the centre of a cluster that
    becomes empty; here: the first are points in equal steps, and an empty cluster keeps its centre,
    so that a round draws nothing.
    """
    place = torch.linspace(0, len(points) - 1, clusters, device=points.device).round().long()
    centres = points[place].clone()
    for _ in range(_LOCAL_STEPS):
        assigned = sinkhorn(points @ centres.T, iterations=_LOCAL_SINKHORN).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, assigned, points)
        filled = torch.bincount(assigned, minlength=clusters) > 0
        centres[filled] = normalize(sums[filled], dim=1)
    return centres


def global_clusters(
    points: Tensor, centres: Tensor, *, temperature: float, steps: int, lr: float
) -> Tensor:
    """Return centres that predict the equally large clusters of the clients' centres.

    SGD makes the softmax of the similarities to the centres like the Sinkhorn assignments to them.

    Args:
        points: the centres of all clients' local clusters, (points, dim).
        centres: first centres, (clusters, dim).
        temperature: of the softmax.
        steps: number of steps.
        lr: learning rate.
    """
    points = normalize(points, dim=1)
    with torch.enable_grad():
        weight = centres.detach().clone().requires_grad_()
        optimiser = torch.optim.SGD([weight], lr=lr, momentum=0.9, weight_decay=1e-4)
        for _ in range(steps):
            similarity = points @ weight.T
            assigned = sinkhorn(similarity.detach())
            predicted = softmax(similarity / temperature, dim=1)
            optimiser.zero_grad()
            loss = -cosine_similarity(assigned, predicted, dim=1).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                weight.copy_(normalize(weight, dim=1))
    return weight.detach()
