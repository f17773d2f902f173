"""The rows of a bank's array in the memory of a device, which gathers the samples of a batch."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Bytes that pass through host memory at a time.
_PART_BYTES = 256 << 20


class DeviceRows:
    """The rows of a .npy file on a device; batches are tensors on the device."""

    def __init__(self, path: str | Path, device: torch.device) -> None:
        """Copy the file to the device."""
        mapped = np.load(path, mmap_mode="r")
        dtype = torch.from_numpy(np.empty(0, mapped.dtype)).dtype
        self._array = torch.empty(mapped.shape, dtype=dtype, device=device)
        step = max(1, _PART_BYTES // max(mapped[:1].nbytes, 1))
        for start in range(0, len(mapped), step):
            part = np.array(mapped[start : start + step])
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
