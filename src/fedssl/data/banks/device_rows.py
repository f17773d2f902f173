"""The rows of a bank's array in the memory of a device, which gathers the samples of a batch."""

import numpy as np
import torch
from torch import Tensor

from fedssl.data.banks.rows import FileRows

# Bytes that pass through host memory at a time.
_PART_BYTES = 256 << 20


class DeviceRows:
    """The rows of a .npy file on a device; batches are tensors on the device."""

    def __init__(self, rows: FileRows, device: torch.device) -> None:
        """Copy the rows of a file to the device."""
        row = torch.from_numpy(rows.take(np.arange(0)))
        self._array = row.new_empty((rows.num_rows, *row.shape[1:]), device=device)
        step = max(1, _PART_BYTES // max(rows.row_bytes, 1))
        for start in range(0, rows.num_rows, step):
            part = rows.take(np.arange(start, min(start + step, rows.num_rows)))
            self._array[start : start + step] = torch.from_numpy(part)

    def take(self, indices: np.ndarray) -> Tensor:
        """Return the rows at these positions, in their order."""
        return self._array[self._sent(indices)]

    def frames(
        self, starts: np.ndarray, first: np.ndarray, last: np.ndarray, *, length: int
    ) -> Tensor:
        """Return frames, (len(starts), length); see `Rows`."""
        begin, left, right = (self._sent(each)[:, None] for each in (starts, first, last))
        places = torch.arange(length, device=self._array.device)
        inside = (places >= left) & (places < right)
        rows = torch.where(inside, begin + places - left, 0)
        return self._array[rows].masked_fill_(~inside, 0)

    def _sent(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(numbers, np.int64)).to(self._array.device)
