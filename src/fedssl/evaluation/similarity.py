"""Compute exact cosine similarities in float32, for one chunk of queries at a time."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from fedssl.errors import UserError

# Number of similarities in memory at a time: 128 MiB on a CPU, 1 GiB on an accelerator. A larger
# chunk is faster on an accelerator, but all similarities of a task would not fit into its memory.
_CPU = 2**25
_ACCELERATOR = 2**28
# MKL sums the products of whole tiles and of the rows and columns beyond them in different orders.
# Without such edges, equal rows have exactly equal similarities. OpenBLAS, which NumPy uses, has no
# size for which that holds.
_TILE = 16
# A row of zeros stays zero, so it is equally similar to all rows.
_EPS = 1e-12


def cosine_chunks(
    queries: Tensor, bank: Tensor, *, chunk_rows: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of the queries and their similarities, (rows, num_bank) on the bank's device.

    Equal rows have exactly equal similarities, wherever they stand in the queries and the bank.

    Args:
        queries: (num_queries, dim) features.
        bank: (num_bank, dim) features.
        chunk_rows: number of queries compared at a time; chosen by memory if None.

    Raises:
        UserError: the shapes do not match, the bank is empty, or a feature is not finite.
    """
    _check_shapes(queries, bank)
    keys = _whole_tiles(unit_rows(bank, name="bank")).T
    rows = chunk_rows or max(1, (_CPU if keys.device.type == "cpu" else _ACCELERATOR) // len(bank))
    for start in range(0, len(queries), rows):
        place = slice(start, min(start + rows, len(queries)))
        unit = _whole_tiles(unit_rows(queries[place].to(bank.device), name="queries"))
        with _float32_matmul(bank.device):
            similarity = unit @ keys
        yield place, similarity[: place.stop - start, : len(bank)]


def unit_rows(features: Tensor, *, name: str) -> Tensor:
    """Return the rows in float32, each divided by its norm.

    Raises:
        UserError: a feature is not finite; the message calls the features `name`.
    """
    norms = torch.linalg.vector_norm(features.float(), dim=1, keepdim=True)
    if not norms.isfinite().all():
        raise UserError(
            f"The {name} contain NaN or infinity; the encoder must return finite features."
        )
    unit: Tensor = features.float() / norms.clamp_min(_EPS)
    return unit


def _whole_tiles(rows: Tensor) -> Tensor:
    """Return the rows, followed by rows of zeros up to a whole number of tiles."""
    missing = -len(rows) % _TILE
    return pad(rows, (0, 0, 0, missing)) if missing else rows


@contextlib.contextmanager
def _float32_matmul(device: torch.device) -> Iterator[None]:
    """Multiply matrices in full float32, whatever precision is set for training."""
    # TF32 and bf16 round similarities so coarsely that ranks of near neighbours would change.
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _check_shapes(queries: Tensor, bank: Tensor) -> None:
    if queries.ndim != 2 or bank.ndim != 2 or queries.shape[1] != bank.shape[1]:
        shapes = f"{tuple(queries.shape)} and {tuple(bank.shape)}"
        raise UserError(f"Queries and bank are {shapes}; both must be (samples, dim).")
    if len(bank) == 0:
        raise UserError("The bank is empty; it must have at least one row.")
