"""Download one clip with yt-dlp and write it as a WAV file of ten seconds.

ffmpeg is used only for formats that libsndfile cannot read.
"""

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
from fedssl.data.decode import check_size
from fedssl.data.readers.sounds import bank_waveform, check_rate
from fedssl.data.samples import UnreadableError
from fedssl.data.settings import ClipRequests
from fedssl.errors import UserError

CLIP_SECONDS = 10

# A limit for one sound track, so that a live stream cannot fill the disk.
_MAX_BYTES = 2 << 30
_DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# HTTP code of the response -> status of the clip.
_HTTP_STATUSES = {
    401: "private",
    403: "refused",
    404: "gone",
    410: "gone",
    429: "throttled",
    451: "geo",
}
# Messages of YouTube as yt-dlp reports them, which has no error codes for them. The first match
# decides, so put more specific messages first.
_MESSAGE_STATUSES = (
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
    """A clip is unavailable; `status` is a status of `clip_manifest.ClipResult`."""

    def __init__(self, status: str, reason: str) -> None:
        """Store the status and the reason."""
        super().__init__(reason)
        self.status = status


class _SilentLogger:
    """A logger that drops all messages of yt-dlp; its errors are raised as exceptions anyway."""

    def debug(self, message: str) -> None:
        """Drop the message."""

    warning = error = debug


def fetch_clip(
    url: str, start: int, target: Path, *, scratch: Path, settings: ClipRequests
) -> None:
    """Write ten seconds of the sound at `url` to `target`, as 16 kHz mono 16-bit PCM.

    Args:
        url: page or file that yt-dlp can download.
        start: start of the clip in seconds.
        target: WAV file to write. The write is not atomic.
        scratch: empty folder for the complete sound track.
        settings: its timeout holds for the download and for the conversion.

    Raises:
        ClipError: the clip is unavailable.
        UserError: the disk is full, or ffmpeg is needed and not installed.
    """
    # The whole sound track is downloaded and then cut: yt-dlp can download a section only, but
    # needs ffmpeg for that.
    try:
        sound = _download(url, scratch, settings)
        _cut(sound, start, target, timeout=settings.timeout_seconds)
    except (OSError, yt_dlp.utils.YoutubeDLError) as error:
        raise _classify_error(error, scratch) from error


def _download(url: str, scratch: Path, settings: ClipRequests) -> Path:
    deadline = time.monotonic() + settings.timeout_seconds

    # yt-dlp has a timeout for the socket, but none for the whole download. A server need not
    # announce the size, so count the bytes that arrive.
    def watch(progress: Mapping[str, Any]) -> None:
        if time.monotonic() > deadline:
            raise ClipError("timeout", f"it took more than {settings.timeout_seconds} s")
        if progress.get("downloaded_bytes", 0) > _MAX_BYTES:
            raise ClipError("unreadable", f"its sound has more than {_MAX_BYTES} bytes")

    options = {
        **dict.fromkeys(("quiet", "no_warnings", "noprogress", "noplaylist", "nopart"), True),
        # No retries inside yt-dlp: the caller retries, with a pause that all workers share.
        **dict.fromkeys(("retries", "fragment_retries", "extractor_retries"), 0),
        "format": "bestaudio/best",
        # "%" starts a field in yt-dlp's template, so escape it in the path.
        "outtmpl": {"default": f"{str(scratch).replace('%', '%%')}/sound.%(ext)s"},
        "logger": _SilentLogger(),
        "progress_hooks": [watch],
        "socket_timeout": min(30, settings.timeout_seconds),
        "ratelimit": settings.rate_limit,
        "cachedir": False,
        # A fixup would run ffmpeg on containers, which is not needed to read the sound.
        "fixup": "never",
    }
    with yt_dlp.YoutubeDL(options) as client:
        client.download([url])
    sounds = list(scratch.iterdir())
    if len(sounds) != 1:
        raise ClipError("unreadable", "there is no sound at its address")
    return sounds[0]


def _cut(sound: Path, start: int, target: Path, *, timeout: float) -> None:
    """Write ten seconds of a sound or video file as a 16 kHz WAV file."""
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
    # Encode in memory. If libsndfile wrote the file, a full disk would be a SoundFileError, which
    # is treated as a damaged clip. Here it is an OSError.
    wav = io.BytesIO()
    soundfile.write(wav, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    target.write_bytes(wav.getvalue())


def _cut_by_ffmpeg(sound: Path, start: int, target: Path, *, timeout: float) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise UserError(
            f"cutting a {sound.suffix} file needs ffmpeg, which is not installed: install it and "
            "run again; clips that were fetched are kept"
        )
    # "-ss" before "-i" seeks without decoding. "file:" keeps ffmpeg from taking a name with a colon
    # for a protocol. "-nostdin" keeps it from reading the terminal of the run.
    span = ["-ss", str(start), "-t", str(CLIP_SECONDS), "-i", f"file:{sound}"]
    form = ["-vn", "-ac", "1", "-ar", str(SAMPLE_RATE), "-acodec", "pcm_s16le", "-f", "wav"]
    command = [program, "-nostdin", "-v", "error", *span, *form, "-y", f"file:{target}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ClipError("timeout", f"ffmpeg took more than {timeout} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()[-200:]
        # ffmpeg has no exit code for a full disk, so search for the system's message.
        if os.strerror(errno.ENOSPC) in said:
            raise OSError(errno.ENOSPC, said) from error
        raise ClipError("unreadable", f"ffmpeg: {said}") from error
    if soundfile.info(target).frames == 0:
        raise ClipError("short", f"it ends before second {start}")


def _classify_error(error: BaseException, scratch: Path) -> ClipError | UserError:
    """Return the ClipError or UserError that a failure of yt-dlp or of the disk stands for."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ClipError | UserError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _DISK_FULL_ERRORS:
            return disk_error(cause, scratch)
    text = str(error).removeprefix("ERROR: ").split("; please report", 1)[0]
    return ClipError(_status(causes, text.lower()), text)


def disk_error(error: OSError, folder: Path) -> UserError:
    """Return the UserError for a failure to write into `folder`."""
    full = "make room" if error.errno in _DISK_FULL_ERRORS else "fix this"
    return UserError(f"{folder} cannot be written ({error.strerror}): {full} and run again")


def _status(causes: list[BaseException], text: str) -> str:
    for cause in causes:
        if isinstance(cause, GeoRestrictedError):
            return "geo"
        if isinstance(cause, HTTPError):
            return _HTTP_STATUSES.get(cause.status, "server" if cause.status >= 500 else "failed")
    for words, status in _MESSAGE_STATUSES:
        if words in text:
            return status
    network = any(isinstance(cause, TransportError | OSError) for cause in causes)
    return "network" if network else "failed"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all errors that caused it."""
    # yt-dlp keeps causes in its own attributes, `exc_info` and `cause`, besides Python's.
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
