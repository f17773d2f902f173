"""Download the clips that VGGSound's annotations name; a killed download can be resumed.

This runs only if the configuration names the dataset under `downloads`. The user who does that is
responsible for following the terms of the site.
"""

import contextlib
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
from fedssl.data.settings import ClipRequests
from fedssl.errors import UserError
from fedssl.files import atomic_write, sha256, write_text
from fedssl.lease import hold
from fedssl.progress import MemberProgress
from fedssl.typed import typed

_LOG = logging.getLogger(__name__)

# After this many consecutive failures of the network or the server, the download stops: the site
# is down or has blocked us, and more requests would not help.
_MAX_FAILURES_IN_A_ROW = 20
_MAX_PAUSE_S = 300.0


def download_clips(
    annotations: Path, folder: Path, *, listing: Path, manifest: Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Fetch all annotated clips into `folder`, and return the number of clips per status.

    Args:
        annotations: CSV file that names the clips.
        folder: folder of the WAV files and of the manifest in progress. Clips that are already
            there are not fetched again.
        listing: text file to write for the reader; it names the folder.
        manifest: CSV file to write, one row per clip.
        settings: settings of the job, see `ClipRequests`.

    Raises:
        UserError: the disk is full, ffmpeg is missing, too many requests failed in a row, or no
            clip was obtained.
    """
    # Many clips have left YouTube since 2020, so missing clips are not an error. They are listed
    # in the manifest, and the bank counts them as absent.
    requests = typed(ClipRequests, settings)
    annotated, _ = read_annotations(annotations)
    with _locked(folder), contextlib.closing(ClipManifest(folder / "manifest.jsonl")) as results:
        run = _ClipDownload(folder, results, requests, MemberProgress({"clips": len(annotated)}))
        run.fetch([clip for clip in annotated if not results.is_final(clip)], len(annotated))
        results.write_csv(manifest, annotated)
        counts = results.counts(annotated)
        if not counts.get(OBTAINED):
            raise UserError(
                f"none of the {len(annotated)} clips in {annotations} could be fetched: {counts}"
            )
    # The listing must change when clips are added: Snakemake compares small inputs by content, and
    # then reruns the rule that builds the bank.
    write_text(listing, f"# clips: {sha256(manifest)}\n{folder.name}\n")
    return counts


class _ClipDownload:
    """Fetch clips with several workers, and stop all of them at a failure that concerns all."""

    def __init__(
        self,
        folder: Path,
        results: ClipManifest,
        settings: ClipRequests,
        progress: MemberProgress,
    ) -> None:
        self._folder, self._results = folder, results
        self._settings, self._progress = settings, progress
        self._limiter = _RequestLimiter(settings.pause_seconds)
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._stop: UserError | None = None

    def fetch(self, clips: list[str], total: int) -> None:
        """Fetch the clips in parallel; raise the first error that is not about a single clip."""
        self._progress.start(total - len(clips))
        with ThreadPoolExecutor(self._settings.workers) as pool:
            for _ in pool.map(self._fetch, clips):
                pass
        self._progress.finish()
        if self._stop:
            raise self._stop

    # Workers store an error in `_stop` instead of raising it, so that it stops all workers at once.
    # `pool.map` would raise it only when that clip's turn comes.
    def _fetch(self, clip: str) -> None:
        for tries in range(self._settings.tries):
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
        """Request a clip once and return the result."""
        name, settings = f"{clip}.wav", self._settings
        # A clip is `<id>_<six digits>`. Cut at fixed positions: ids can contain "_" as well.
        url = settings.url.replace("{id}", clip[:-7])
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
            if self._in_a_row >= _MAX_FAILURES_IN_A_ROW:
                self._stop = UserError(
                    f"{self._in_a_row} failures in a row, the last: {result.status} "
                    f"({result.reason}); run again later, clips that were fetched are kept"
                )


class _RequestLimiter:
    """Space the requests of all workers; a retry makes every worker wait longer."""

    def __init__(self, pause: float) -> None:
        self._pause, self._next = pause, 0.0
        self._lock = threading.Lock()

    def wait(self, tries: int) -> None:
        """Sleep until the next request may start; `tries` requests of this clip have failed."""
        with self._lock:
            # Exponential backoff. It also delays the other workers: a failure usually means that
            # the site limits our rate, and it counts all requests together.
            longer = min(self._pause * 4**tries, _MAX_PAUSE_S) if tries else 0
            start = max(time.monotonic(), self._next) + longer
            self._next = start + self._pause
        time.sleep(max(0, start - time.monotonic()))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder, and remove partial files of killed ones."""
    with hold(folder / ".lease", what=str(folder)):
        for leftover in folder.glob(".*part*"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield
