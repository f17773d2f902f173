"""Cosine similarities of queries to a bank: exact, in float32, a chunk of queries at a time."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from fedssl.errors import UserError

# Similarities held at once: 128 MiB on a CPU, 1 GiB on an accelerator.
_CPU_CHUNK = 2**25
_ACCELERATOR_CHUNK = 2**28
_EPS = 1e-12  # of a row's norm: a row of zeros stays zero, equally far from everything


def cosine_chunks(
    queries: Tensor, bank: Tensor, *, chunk_rows: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield places of successive queries and their similarities, (rows, num_bank) on its device.

    Args:
        queries: (num_queries, dim) features.
        bank: (num_bank, dim) features.
        chunk_rows: Queries compared at once; by default as many as memory is set aside for.

    Raises:
        UserError: Shapes do not fit, the bank is empty or a feature is not finite.
    """
    _check_shapes(queries, bank)
    keys = unit_rows(bank, name="bank").T
    rows = chunk_rows or _rows_per_chunk(keys)
    for start in range(0, len(queries), rows):
        place = slice(start, min(start + rows, len(queries)))
        unit = unit_rows(queries[place].to(bank.device), name="queries")
        with _float32_matmul(bank.device):
            similarity = unit @ keys
        yield place, similarity


def unit_rows(features: Tensor, *, name: str) -> Tensor:
    """Return the rows in float32, each divided by its norm; UserError where one is not finite."""
    norms = torch.linalg.vector_norm(features.float(), dim=1, keepdim=True)
    if not norms.isfinite().all():
        raise UserError(f"The {name} hold NaN or infinity; the encoder must give finite features.")
    unit: Tensor = features.float() / norms.clamp_min(_EPS)
    return unit


def _rows_per_chunk(keys: Tensor) -> int:
    elements = _CPU_CHUNK if keys.device.type == "cpu" else _ACCELERATOR_CHUNK
    return max(1, elements // keys.shape[1])


@contextlib.contextmanager
def _float32_matmul(device: torch.device) -> Iterator[None]:
    """Multiply in full float32 whatever precision training was set to."""
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
        raise UserError("The bank is empty; it must hold a row.")
