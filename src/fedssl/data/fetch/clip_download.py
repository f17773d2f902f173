"""All clips that VGGSound's annotations name, as far as they can be had; a killed run goes on.

Nothing here runs unless the configuration names the data set under `downloads`: whoever does that
answers for the terms of the site.
"""

import contextlib
import fcntl
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedssl.data.fetch.clip_manifest import OBTAINED, TRANSIENT, ClipManifest, ClipResult
from fedssl.data.fetch.clip_ytdlp import ClipError, disk_error, fetch_clip
from fedssl.data.readers.vggsound import read_annotations
from fedssl.errors import UserError
from fedssl.files import atomic_write, sha256, write_text
from fedssl.progress import MemberProgress

_LOG = logging.getLogger(__name__)

# So many failures of network or server in a row mean that going on is of no use, or unwelcome.
_MOST_IN_A_ROW = 20
_LONGEST_PAUSE_S = 300.0


def download_clips(
    annotations: Path, folder: Path, *, listing: Path, manifest: Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Fetch the clips into `folder` and return how many have which status.

    Args:
        annotations: the csv that names them.
        folder: of the wavs and of the running manifest; what is there is not fetched again.
        listing: text file to write that names the folder, for the reader.
        manifest: csv to write, a row a clip.
        settings: `url` with {id}, `workers`, `pause_seconds` between two requests, `tries` for
            a transient failure, `timeout_seconds` a clip, `rate_limit` in bytes a second or None.

    Raises:
        UserError: the disk is full, ffmpeg is missing, too many failures in a row, or no clip
            could be had.
    """
    annotated, _ = read_annotations(annotations)
    with _locked(folder), contextlib.closing(ClipManifest(folder / "manifest.jsonl")) as results:
        run = _ClipDownload(folder, results, settings, MemberProgress({"clips": len(annotated)}))
        run.fetch([clip for clip in annotated if not results.is_final(clip)], len(annotated))
        results.write_csv(manifest, annotated)
        counts = results.counts(annotated)
        if not counts.get(OBTAINED):
            raise UserError(f"none of the {len(annotated)} clips could be had: {counts}")
    # The digest tells the bank's rule that there are other clips than before.
    write_text(listing, f"# clips: {sha256(manifest)}\n{folder.name}\n")
    return counts


class _ClipDownload:
    """One run over the clips that are left."""

    def __init__(
        self,
        folder: Path,
        results: ClipManifest,
        settings: Mapping[str, Any],
        progress: MemberProgress,
    ) -> None:
        self._folder, self._results = folder, results
        self._settings, self._progress = settings, progress
        self._limiter = _RequestLimiter(settings["pause_seconds"])
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._stop: UserError | None = None

    def fetch(self, clips: list[str], total: int) -> None:
        """Fetch the clips, several at a time; raise the first error that concerns all of them."""
        self._progress.start(total - len(clips))
        with ThreadPoolExecutor(self._settings["workers"]) as pool:
            for _ in pool.map(self._fetch, clips):
                pass
        self._progress.finish()
        if self._stop:
            raise self._stop

    def _fetch(self, clip: str) -> None:
        for tries in range(self._settings["tries"]):
            self._limiter.wait(tries)
            if self._stop:
                return
            try:
                result = self._fetch_once(clip)
                self._record(result)
            except UserError as error:
                self._stop = error
                return
            except OSError as error:
                self._stop = disk_error(error, self._folder)
                return
            if result.status not in TRANSIENT:
                return

    def _fetch_once(self, clip: str) -> ClipResult:
        """Ask for a clip once."""
        name, settings = f"{clip}.wav", self._settings
        url = settings["url"].replace("{id}", clip[:-7])
        try:
            with (
                tempfile.TemporaryDirectory(dir=self._folder, prefix=".part-") as scratch,
                atomic_write(self._folder / name) as part,
            ):
                fetch_clip(url, int(clip[-6:]), part, scratch=Path(scratch), settings=settings)
                size, digest = part.stat().st_size, sha256(part)
        except ClipError as error:
            return ClipResult(clip, error.status, str(error))
        return ClipResult(clip, OBTAINED, "", name, size, digest)

    def _record(self, result: ClipResult) -> None:
        with self._lock:
            before = self._results[result.clip]
            tries = 1 + (before.tries if before else 0)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._results.add(replace(result, tries=tries, when=now))
            self._progress.advance(result.bytes)
            self._in_a_row = self._in_a_row + 1 if result.status in TRANSIENT else 0
            if result.status != OBTAINED:
                _LOG.info("%s: %s (%s)", result.clip, result.status, result.reason)
            if self._in_a_row >= _MOST_IN_A_ROW:
                self._stop = UserError(
                    f"{self._in_a_row} failures in a row, the last: {result.status} "
                    f"({result.reason}); run again later, what was fetched is kept"
                )


class _RequestLimiter:
    """Lets requests through one by one, with a pause between them that retries lengthen for all."""

    def __init__(self, pause: float) -> None:
        self._pause, self._next = pause, 0.0
        self._lock = threading.Lock()

    def wait(self, tries: int) -> None:
        """Return when the next request may start; `tries` of this clip have failed."""
        with self._lock:
            longer = min(self._pause * 4**tries, _LONGEST_PAUSE_S) if tries else 0
            start = max(time.monotonic(), self._next) + longer
            self._next = start + self._pause
        time.sleep(max(0, start - time.monotonic()))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder, and clear what a killed one left."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another process is fetching clips into {folder}") from error
        for leftover in folder.glob(".*part*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield
