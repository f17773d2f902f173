"""The newest embeddings of a client: MoCo's queue of keys and Orchestra's memory."""

import torch
from torch import Tensor, nn


class Newest(nn.Module):
    """Rows of a fixed number, of which the oldest are overwritten first."""

    rows: Tensor
    added: Tensor

    def __init__(self, first: Tensor) -> None:
        """Start with the rows `first`, (size, dim), as the oldest."""
        super().__init__()
        self.register_buffer("rows", first)
        self.register_buffer("added", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, rows: Tensor) -> None:
        """Take in rows (batch, dim); of more than there is room for, the last ones."""
        newest = rows[-len(self.rows) :]
        # A ring, so that nothing moves in memory when rows come in.
        places = (self.added + torch.arange(len(newest), device=rows.device)) % len(self.rows)
        self.rows.index_copy_(0, places, newest)
        self.added.add_(len(newest))

    def filled(self) -> Tensor:
        """Return the rows that were added, without those of the start."""
        return self.rows[: int(self.added.clamp(max=len(self.rows)))]
