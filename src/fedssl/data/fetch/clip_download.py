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

from fedssl.data.fetch.clip_manifest import HAD, TRANSIENT, Manifest, Outcome
from fedssl.data.fetch.clip_source import ClipError, disk_error, fetch_clip
from fedssl.data.readers.vggsound import read_annotations
from fedssl.errors import UserError
from fedssl.files import atomic_write, sha256, write_text
from fedssl.progress import Pace

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
    with _locked(folder), contextlib.closing(Manifest(folder / "manifest.jsonl")) as outcomes:
        run = _Run(folder, outcomes, settings, Pace({"clips": len(annotated)}))
        run.fetch([clip for clip in annotated if not outcomes.is_final(clip)], len(annotated))
        outcomes.write_csv(manifest, annotated)
        counts = outcomes.counts(annotated)
        if not counts.get(HAD):
            raise UserError(f"none of the {len(annotated)} clips could be had: {counts}")
    # The digest tells the bank's rule that there are other clips than before.
    write_text(listing, f"# clips: {sha256(manifest)}\n{folder.name}\n")
    return counts


class _Run:
    """One run over the clips that are left."""

    def __init__(
        self, folder: Path, outcomes: Manifest, settings: Mapping[str, Any], pace: Pace
    ) -> None:
        self._folder, self._outcomes, self._settings, self._pace = folder, outcomes, settings, pace
        self._gate = _Gate(settings["pause_seconds"])
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._stop: UserError | None = None

    def fetch(self, clips: list[str], total: int) -> None:
        """Fetch the clips, several at a time; raise the first error that concerns all of them."""
        self._pace.start(total - len(clips))
        with ThreadPoolExecutor(self._settings["workers"]) as pool:
            for _ in pool.map(self._fetch, clips):
                pass
        self._pace.finish()
        if self._stop:
            raise self._stop

    def _fetch(self, clip: str) -> None:
        for tries in range(self._settings["tries"]):
            self._gate.wait(tries)
            if self._stop:
                return
            try:
                outcome = self._tried(clip)
                self._note(outcome)
            except UserError as error:
                self._stop = error
                return
            except OSError as error:
                self._stop = disk_error(error, self._folder)
                return
            if outcome.status not in TRANSIENT:
                return

    def _tried(self, clip: str) -> Outcome:
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
            return Outcome(clip, error.status, str(error))
        return Outcome(clip, HAD, "", name, size, digest)

    def _note(self, outcome: Outcome) -> None:
        with self._lock:
            before = self._outcomes[outcome.clip]
            tries = 1 + (before.tries if before else 0)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._outcomes.add(replace(outcome, tries=tries, when=now))
            self._pace.advance(outcome.bytes)
            self._in_a_row = self._in_a_row + 1 if outcome.status in TRANSIENT else 0
            if outcome.status != HAD:
                _LOG.info("%s: %s (%s)", outcome.clip, outcome.status, outcome.reason)
            if self._in_a_row >= _MOST_IN_A_ROW:
                self._stop = UserError(
                    f"{self._in_a_row} failures in a row, the last: {outcome.status} "
                    f"({outcome.reason}); run again later, what was fetched is kept"
                )


class _Gate:
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
