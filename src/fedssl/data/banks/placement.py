"""Choose where a job reads a bank from: the disk, a copy on the node, memory or the GPU.

The settings `banks.read_from` and `banks.staging` reach a job as environment variables: they are no
parameters of a rule, so changing them reruns nothing. Samples are the same bits from everywhere.
"""

import logging
import multiprocessing
import os
import platform
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fedssl.data.banks.block_hashes import ArrayHashes
from fedssl.data.banks.rows import Batch, FileRows, MemoryRows, Rows
from fedssl.data.banks.staging import staged
from fedssl.errors import UserError
from fedssl.host_memory import available_bytes
from fedssl.publishing import add_verified

if TYPE_CHECKING:
    import torch

_LOG = logging.getLogger(__name__)


class PlacedRows:
    """The rows of a bank's array, for a job that computes on a device.

    The place is chosen at the first read. Not every process that opens a bank reads it: where
    clients train in parallel, only their processes do.
    """

    def __init__(self, path: Path, hashes: ArrayHashes, *, device: "torch.device | None") -> None:
        """Remember the file and its hashes; without a device, the place is the disk."""
        self._path = path
        self._hashes = hashes
        self._device = device

    @cached_property
    def rows(self) -> Rows:
        """The rows in their place.

        Raises:
            UserError: the file is damaged, or it is to be copied to the node and the folder there
                is unknown.
        """
        add_verified(str(self._path), self._hashes.sha256)
        if self._device is None:
            return FileRows(self._path, self._hashes)
        return _placed(self._path, self._hashes, device=self._device)

    def take(self, indices: np.ndarray) -> Batch:
        """Return the rows at these positions, in their order."""
        return self.rows.take(indices)

    def frames(
        self, starts: np.ndarray, first: np.ndarray, last: np.ndarray, *, length: int
    ) -> Batch:
        """Return frames, (len(starts), length); see `Rows`."""
        return self.rows.frames(starts, first, last, length=length)


def _placed(path: Path, hashes: ArrayHashes, *, device: "torch.device") -> Rows:
    """Choose the place; see `fedssl.data.settings.Banks`."""
    if folder := os.environ.get("FEDSSL_BANKS_STAGING"):
        path, hashes = staged(path, _on_this_node(folder), hashes)
    rows = FileRows(path, hashes)
    wanted, size = os.environ.get("FEDSSL_BANKS_READ_FROM", "disk"), hashes.size
    if wanted == "device":
        free = _free_bytes(device)
        if size <= free / 2:
            # Imported here, because other jobs must not wait for torch.
            from fedssl.data.banks.device_rows import DeviceRows

            _say(path, f"the memory of {device}", size=size, free=free)
            return DeviceRows(rows, device)
        _LOG.info("%s does not fit beside the model on %s: %s are free", path, device, _gb(free))
        wanted = "auto"
    free = available_bytes()
    if wanted == "memory" or (wanted == "auto" and size <= _share(free)):
        _say(path, "memory", size=size, free=free)
        # Through the verified rows, and so one copy: `take` returns a new array.
        return MemoryRows(rows.take(np.arange(rows.num_rows)))
    _say(path, "disk", size=size, free=free)
    return rows


def _on_this_node(folder: str) -> Path:
    if "$" in (expanded := os.path.expandvars(folder)):
        raise UserError(
            f"banks.staging is {folder!r}, and the job on {platform.node()} has no such variable; "
            "name one that is set there, but not one of Slurm's, or a folder"
        )
    return Path(expanded).expanduser()


def _share(free: int) -> float:
    """Return how many of the free bytes a bank may take."""
    # Half, because a job asks for at least as much memory for itself as for its banks. None in
    # processes that train clients in parallel: on disk, they share the page cache.
    return 0 if multiprocessing.parent_process() else free / 2


def _free_bytes(device: "torch.device") -> int:
    if device.type != "cuda":
        return available_bytes()
    import torch

    free: int = torch.cuda.mem_get_info(device)[0]
    return free


def _say(path: Path, place: str, *, size: int, free: int) -> None:
    _LOG.info("reading %s (%s) from %s (%s free)", path, _gb(size), place, _gb(free))


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
