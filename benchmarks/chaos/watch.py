"""Learn at once that a file has appeared, through inotify of Linux, so that a kill can be aimed."""

import ctypes
import os
import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path

_CREATED, _MOVED_HERE, _IS_FOLDER = 0x100, 0x80, 0x40000000
_HEADER = struct.Struct("iIII")
_LIBC = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Watches a folder and all folders below it, also those that appear later."""

    def __init__(self, root: Path) -> None:
        """Begin to watch."""
        self._root = root
        self._queue = _LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._queue < 0:
            raise OSError(ctypes.get_errno(), "inotify is not available")
        self._folders: dict[int, Path] = {}
        for _ in self._add(root):
            pass

    def __enter__(self) -> "Watch":
        """Return the watch."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the watch."""
        os.close(self._queue)

    def appeared(self, seconds: float) -> Iterator[str]:
        """Yield names, relative to the root, of files that appear within `seconds`.

        A file appears when it is created or renamed. Yields an empty name at least five times a
        second, so that the caller can look at something else.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self._queue], [], [], min(left, 0.2))
            if ready:
                for path in self._read():
                    yield str(path.relative_to(self._root))
            yield ""

    def _read(self) -> Iterator[Path]:
        content = os.read(self._queue, 1 << 16)
        while content:
            watch, mask, _, length = _HEADER.unpack_from(content)
            name = content[_HEADER.size : _HEADER.size + length].rstrip(b"\0").decode()
            content = content[_HEADER.size + length :]
            if watch in self._folders and name:
                path = self._folders[watch] / name
                if mask & _IS_FOLDER:
                    yield from self._add(path)
                else:
                    yield path

    def _add(self, folder: Path) -> Iterator[Path]:
        """Watch a folder; yield the files that were in it before it was watched."""
        mask = _CREATED | _MOVED_HERE
        watch = _LIBC.inotify_add_watch(self._queue, os.fsencode(folder), mask)
        if watch < 0:  # gone already
            return
        self._folders[watch] = folder
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._add(Path(entry.path))
            else:
                yield Path(entry.path)
