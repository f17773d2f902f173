"""Compare what a job reads from an array with the hashes in bank.json.

Training reads a few KB here and there, so comparing the blocks that they are in before they are
used would multiply what is read. A thread compares these blocks while the job computes, and nothing
that the job computes gets its name before all blocks that it has read are verified: `atomic_write`
waits for that, and so do processes that train clients. Each block is verified once on a node.

A block must be verified in the same state of the file in which it was read. The state includes the
ctime, which changes with the content and cannot be put back.
"""

import hashlib
import logging
import os
import threading
import time
import weakref
from pathlib import Path

import numpy as np

from fedssl.data.banks.block_hashes import PIECE_BYTES, ArrayHashes
from fedssl.data.banks.marks import Marks, State, state_of
from fedssl.errors import UserError
from fedssl.publishing import before_publishing

_LOG = logging.getLogger(__name__)
# A smaller array is verified whole in each job, before the first samples are used: 10 ms.
SMALL_BYTES = 16 << 20
_CHANGED = "was changed while this job read it, before that was verified; run again"


class BlockCheck:
    """Verifies the blocks of an open array that were read. Threads can share it."""

    def __init__(self, path: Path, file: int, hashes: ArrayHashes) -> None:
        """Verify the first block, which has the array's header; `file` is the open file."""
        self._path, self._hashes = path, hashes
        # Blocks are still verified when the rows are no longer used.
        self._file = os.dup(file)
        # Not when Python ends: the thread of a job that failed may still be reading.
        weakref.finalize(self, os.close, self._file).atexit = False
        self._small = hashes.size <= SMALL_BYTES
        self._lock, self._work = threading.Lock(), threading.Lock()
        self._running, self._fault = False, ""
        self._wanted = np.zeros(len(hashes.blocks), bool)
        # Processes on a node begin at different blocks, and so share the work.
        self._next = os.getpid() % len(hashes.blocks)
        self._enter(state_of(self._file))
        self.read(np.zeros(1, np.int64), np.ones(1, np.int64), at_once=True)

    def read(self, starts: np.ndarray, sizes: np.ndarray, *, at_once: bool = False) -> bool:
        """Verify, now or later, the blocks of bytes that were read since the last call.

        Returns False if the file has changed meanwhile, so that the bytes must be read again.

        Raises:
            UserError: a block is damaged, or the file has changed since blocks were read that are
                not verified yet.
        """
        with self._lock:
            self._raise_fault()
            if (state := state_of(self._file)) != self._state:
                self._enter(state)
                return False
            new = self._note(starts, sizes)
            if not (at_once or self._small):
                if new:
                    self._start()
                return True
            # Also if another thread is about to verify what this one has read.
            waiting = bool(self._wanted.any())
        if waiting:
            self.finish()
        return True

    def finish(self) -> None:
        """Verify all blocks that were read; raise UserError if one is damaged."""
        while self._verify_next():
            pass

    def _note(self, starts: np.ndarray, sizes: np.ndarray) -> bool:
        """Add the blocks of these bytes to those to verify; return whether there are new ones."""
        if self._all:
            return False
        first = starts // self._hashes.block_bytes
        last = (starts + np.maximum(sizes, 1) - 1) // self._hashes.block_bytes
        touched = np.zeros(len(self._hashes.blocks), bool)
        for start, stop in zip(first.tolist(), (last + 1).tolist(), strict=True):
            touched[start:stop] = True
        touched &= ~(self._held | self._wanted)
        self._wanted |= touched
        return bool(touched.any())

    def _enter(self, state: State) -> None:
        """Begin with a state of the file, in which only marked blocks are verified."""
        if self._wanted.any():
            self._fault = f"{self._path} {_CHANGED}"
            self._raise_fault()
        count = len(self._hashes.blocks)
        self._state = state
        self._marks = None if self._small else Marks(self._path, self._hashes, state)
        self._held = self._marks.read(count) if self._marks else np.zeros(count, bool)
        self._wanted = np.zeros(count, bool)
        self._all = bool(self._held.all())

    def _start(self) -> None:
        """Let a thread verify the blocks; it ends when there are none left."""
        _UNFINISHED.add(self)
        if not self._running:
            self._running = True
            threading.Thread(target=self._run, name="verify", daemon=True).start()

    def _run(self) -> None:
        try:
            while self._verify_next(in_thread=True):
                pass
        except (UserError, OSError) as error:
            # Raised again by the next read, or before anything is published.
            _LOG.error("%s", error)

    def _verify_next(self, *, in_thread: bool = False) -> bool:
        """Verify a block that was read; return False if there is none left."""
        # One thread at a time, so that no two threads hash the same block.
        with self._work:
            with self._lock:
                self._raise_fault()
                waiting = np.flatnonzero(self._wanted)
                if not len(waiting):
                    self._running = self._running and not in_thread
                    _UNFINISHED.discard(self)
                    return False
                block = int(waiting[np.searchsorted(waiting, self._next) % len(waiting)])
                state, marks = self._state, self._marks
            known = marks is not None and marks.has(block)
            found = None if known else self._hash(block)
            with self._lock:
                self._conclude(block, found, state)
            return True

    def _conclude(self, block: int, found: str | None, state: State) -> None:
        """Note the hash that was found for a block; None if another process has verified it."""
        if found is not None and state_of(self._file) != state:
            self._fault = f"{self._path} {_CHANGED}"
            self._raise_fault()
        if found is not None:
            try:
                self._hashes.compare(self._path, block, found)
            except UserError as error:
                self._fault = str(error)
                raise
            if self._marks:
                self._marks.add(block)
        self._wanted[block], self._held[block], self._next = False, True, block + 1
        self._all = bool(self._held.all())

    def _hash(self, block: int) -> str:
        start, stop = self._hashes.span(block)
        os.posix_fadvise(self._file, start, stop - start, os.POSIX_FADV_WILLNEED)
        found = hashlib.sha256()
        while piece := os.pread(self._file, min(PIECE_BYTES, stop - start), start):
            found.update(piece)
            start += len(piece)
            _spent.bytes += len(piece)
        return found.hexdigest()

    def _raise_fault(self) -> None:
        if self._fault:
            raise UserError(self._fault)


def verify_start(path: Path, hashes: ArrayHashes) -> None:
    """Raise UserError unless a file has the right size and first block, which has the header."""
    hashes.check_size(path)
    with path.open("rb") as file:
        BlockCheck(path, file.fileno(), hashes)


def remember_verified(path: Path, hashes: ArrayHashes) -> None:
    """Remember on this node that all blocks of a file are verified, as when it was copied."""
    if hashes.size > SMALL_BYTES:
        with path.open("rb") as file:
            Marks(path, hashes, state_of(file.fileno())).add_all(len(hashes.blocks))


class _Spent:
    """What verifying has cost this process."""

    bytes = 0
    seconds_waited = 0.0


_spent = _Spent()
# Blocks of these wait to be verified, also if their rows are no longer used.
_UNFINISHED: set[BlockCheck] = set()


def finish_all() -> None:
    """Verify everything that was read; raise UserError if a block is damaged."""
    started = time.perf_counter()
    for check in list(_UNFINISHED):
        check.finish()
    _spent.seconds_waited += time.perf_counter() - started


def bytes_verified() -> int:
    """Return the bytes that this process has read only to verify them."""
    return _spent.bytes


def seconds_waited() -> float:
    """Return the seconds that this process has waited for blocks to be verified."""
    return _spent.seconds_waited


before_publishing(finish_all)
