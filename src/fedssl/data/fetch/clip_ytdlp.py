"""One clip from its address to a wav of ten seconds, by yt-dlp and, where it is needed, ffmpeg."""

import errno
import io
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import soundfile
import yt_dlp
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import GeoRestrictedError

from fedssl.data.banks.bank import SAMPLE_RATE
from fedssl.data.banks.members import UnreadableError
from fedssl.data.readers.decode import bank_waveform, check_rate, check_size
from fedssl.errors import UserError

CLIP_SECONDS = 10

_MOST_BYTES = 2 << 30
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OF_CODE = {401: "private", 403: "refused", 404: "gone", 410: "gone", 429: "throttled", 451: "geo"}
# What YouTube says, in yt-dlp's words; the first that occurs decides.
_OF_WORDS = (
    ("private video", "private"),
    ("confirm your age", "age"),
    ("not a bot", "throttled"),
    ("rate-limited", "throttled"),
    ("available in your country", "geo"),
    ("members-only", "private"),
    ("video unavailable", "gone"),
    ("no longer available", "gone"),
    ("has been removed", "gone"),
    ("been terminated", "gone"),
    ("timed out", "timeout"),
    ("more expected", "network"),
    ("unsupported url", "unreadable"),
)


class ClipError(Exception):
    """A clip cannot be had; `status` is one of `fedssl.data.fetch.clip_manifest.ClipResult`'s."""

    def __init__(self, status: str, reason: str) -> None:
        """Say why."""
        super().__init__(reason)
        self.status = status


class _Silence:
    """Takes what yt-dlp would print; its errors are raised as well."""

    def debug(self, message: str) -> None:
        """Drop a message."""

    warning = error = debug


def fetch_clip(
    url: str, start: int, target: Path, *, scratch: Path, settings: Mapping[str, Any]
) -> None:
    """Write the ten seconds from `start` of the sound at `url` to `target`, 16 kHz mono PCM.

    Args:
        url: of a page or a file that yt-dlp knows.
        start: second at which the clip begins.
        target: wav to write; whoever calls makes it atomic.
        scratch: empty folder for the whole sound.
        settings: `timeout_seconds` for all of it, `rate_limit` in bytes a second or None.

    Raises:
        ClipError: the clip cannot be had.
        UserError: the disk is full, or ffmpeg is needed and not installed.
    """
    try:
        sound = _download(url, scratch, settings)
        _cut(sound, start, target, timeout=settings["timeout_seconds"])
    except (OSError, yt_dlp.utils.YoutubeDLError) as error:
        raise _failure(error, scratch) from error


def _download(url: str, scratch: Path, settings: Mapping[str, Any]) -> Path:
    deadline = time.monotonic() + settings["timeout_seconds"]

    def watch(progress: Mapping[str, Any]) -> None:
        if time.monotonic() > deadline:
            raise ClipError("timeout", f"it took more than {settings['timeout_seconds']} s")
        if progress.get("downloaded_bytes", 0) > _MOST_BYTES:
            raise ClipError("unreadable", f"its sound has more than {_MOST_BYTES} bytes")

    options = {
        **dict.fromkeys(("quiet", "no_warnings", "noprogress", "noplaylist", "nopart"), True),
        **dict.fromkeys(("retries", "fragment_retries", "extractor_retries"), 0),
        "format": "bestaudio/best",
        "outtmpl": {"default": f"{str(scratch).replace('%', '%%')}/sound.%(ext)s"},
        "logger": _Silence(),
        "progress_hooks": [watch],
        "socket_timeout": min(30, settings["timeout_seconds"]),
        "ratelimit": settings["rate_limit"],
        "cachedir": False,
        "fixup": "never",
    }
    with yt_dlp.YoutubeDL(options) as client:
        client.download([url])
    sounds = list(scratch.iterdir())
    if len(sounds) != 1:
        raise ClipError("unreadable", "there is no sound at its address")
    return sounds[0]


def _cut(sound: Path, start: int, target: Path, *, timeout: float) -> None:
    """Write ten seconds of a sound file or video as a wav at 16 kHz."""
    try:
        with soundfile.SoundFile(sound) as file:
            rate = check_rate(file.samplerate)
            check_size(CLIP_SECONDS * rate * file.channels)
            if start * rate >= file.frames:
                raise ClipError("short", f"it ends before second {start}")
            file.seek(start * rate)
            waveform = file.read(CLIP_SECONDS * rate, dtype="float32", always_2d=True)
        samples = bank_waveform(waveform, rate=rate)
    except UnreadableError as error:
        raise ClipError("unreadable", str(error)) from error
    except soundfile.SoundFileError:
        _cut_by_ffmpeg(sound, start, target, timeout=timeout)
        return
    wav = io.BytesIO()
    soundfile.write(wav, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    target.write_bytes(wav.getvalue())  # a full disk is an OSError here, and no fault of the sound


def _cut_by_ffmpeg(sound: Path, start: int, target: Path, *, timeout: float) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise UserError(
            f"a {sound.suffix} file needs ffmpeg to be cut, and it is not installed: install it "
            "and run again; what was fetched is kept"
        )
    span = ["-ss", str(start), "-t", str(CLIP_SECONDS), "-i", f"file:{sound}"]
    form = ["-vn", "-ac", "1", "-ar", str(SAMPLE_RATE), "-acodec", "pcm_s16le", "-f", "wav"]
    command = [program, "-nostdin", "-v", "error", *span, *form, "-y", f"file:{target}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ClipError("timeout", f"ffmpeg took more than {timeout} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[-200:]
        if os.strerror(errno.ENOSPC) in said:
            raise OSError(errno.ENOSPC, said) from error
        raise ClipError("unreadable", f"ffmpeg: {said}") from error
    if soundfile.info(target).frames == 0:
        raise ClipError("short", f"it ends before second {start}")


def _failure(error: BaseException, scratch: Path) -> ClipError | UserError:
    """Return what a failure of yt-dlp or of the disk means."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ClipError | UserError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return disk_error(cause, scratch)
    text = str(error).removeprefix("ERROR: ").split("; please report", 1)[0]
    return ClipError(_status(causes, text.lower()), text)


def disk_error(error: OSError, folder: Path) -> UserError:
    """Return what a failure to write into `folder` means to a user."""
    full = "make room" if error.errno in _FULL else "mend that"
    return UserError(f"{folder} cannot be written ({error.strerror}): {full} and run again")


def _status(causes: list[BaseException], text: str) -> str:
    for cause in causes:
        if isinstance(cause, GeoRestrictedError):
            return "geo"
        if isinstance(cause, HTTPError):
            return _OF_CODE.get(cause.status, "server" if cause.status >= 500 else "failed")
    for words, status in _OF_WORDS:
        if words in text:
            return status
    network = any(isinstance(cause, TransportError | OSError) for cause in causes)
    return "network" if network else "failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it: yt-dlp keeps that in attributes of its own."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        of_info = (getattr(found, "exc_info", None) or (None, None))[1]
        waiting += [of_info, getattr(found, "cause", None), found.__cause__, found.__context__]
