"""MPEG audio (MP3): frames without a container, of which the first may say how many there are."""

from dataclasses import dataclass
from functools import lru_cache

from fedssl.data.readers.containers.container import OPEN_END, Container, cut_off, joined

# kbit/s by the four bits of the header, for MPEG 1 layers 1 to 3, and MPEG 2 layers 1, 2 and 3.
_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = (44_100, 48_000, 32_000)
# Version bits of the header -> MPEG 1 or 2, and the divisor of its sample rates.
_VERSIONS = {3: (1, 1), 2: (2, 2), 0: (2, 4)}
# Samples that a decoder leaves out at most: the encoder's delay and padding, and its own delay.
_LEFT_OUT = 2 * 4096 + 1152
_SEARCHED = 1 << 16


@dataclass(frozen=True)
class _Frame:
    length: int
    samples: int
    kbits: int
    side: int  # where a description of the whole file begins


@dataclass(frozen=True)
class _Totals:
    """Number of frames and of bytes from the first frame on; None if they are not given."""

    frames: int | None
    length: int | None


def inspect(data: bytes) -> Container:
    """Return what an MP3 file holds.

    Raises:
        UnreadableError: it is cut off or joined.
    """
    first = _first_frame(data)
    if first is None:
        return Container(data, (OPEN_END,))
    place, count, samples, rates = first, 0, 0, set()
    totals = _totals(data, first)
    while (frame := _frame(data[place : place + 4])) and place + frame.length <= len(data):
        if place > first and _totals(data, place):
            raise joined()
        place, count, samples = place + frame.length, count + 1, samples + frame.samples
        rates.add(frame.kbits)
    stated = totals.frames if totals else None
    _check_rest(data, place, complete=stated is not None and count > stated)
    least = max(samples - _LEFT_OUT, 0)
    if totals is None or stated is None:
        # libsndfile derives the length from the first bit rate, and stops there.
        start = b"" if len(rates) == 1 else _description(data[first : first + 4], count)
        return Container(start + data[first:], (OPEN_END,), least=least)
    # The decoder stops after the stated number. The frame that states it may or may not count.
    if count > stated + 2:
        raise joined()
    if count - 1 < stated and (totals.length is None or first + totals.length > len(data)):
        raise cut_off(count - 1, stated, "frames")
    return Container(data, least=least)


def _check_rest(data: bytes, place: int, *, complete: bool) -> None:
    """Raise UnreadableError if sound follows the first run of frames, which ends at `place`."""
    frame = _frame(data[place : place + 4])
    if frame and not complete:
        raise cut_off(len(data) - place, frame.length, "bytes of its last frame")
    after = _first_frame(data[place:])
    if after is None:
        return
    if complete or b"ID3" in data[place : place + after]:
        raise joined()
    raise cut_off(place, len(data), "bytes before damaged ones")


def _first_frame(data: bytes) -> int | None:
    """Return the place of the first frame that another frame, or the end, follows."""
    place = data.find(b"\xff")
    while 0 <= place < _SEARCHED:
        if frame := _frame(data[place : place + 4]):
            after = place + frame.length
            if _frame(data[after : after + 4]) or after == len(data):
                return place
        place = data.find(b"\xff", place + 1)
    return None


def _description(header: bytes, count: int) -> bytes:
    """Return a frame of silence that states a number of frames, for a file with this header."""
    bits = int.from_bytes(header, "big") & ~(15 << 12) | 1 << 16
    headers = ((bits | kbits << 12).to_bytes(4, "big") for kbits in range(1, 15))
    start, frame = next((h, f) for h in headers if (f := _frame(h)) and f.length >= f.side + 12)
    stated = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (start + bytes(frame.side - 4) + stated).ljust(frame.length, b"\0")


@lru_cache(maxsize=4096)
def _frame(header: bytes) -> _Frame | None:
    """Return what the four bytes of a header say; None if they are no header of a known length."""
    bits = int.from_bytes(header, "big")
    version, layer = _VERSIONS.get(bits >> 19 & 3), 4 - (bits >> 17 & 3)
    kbits, rate = bits >> 12 & 15, bits >> 10 & 3
    if len(header) < 4 or bits >> 21 != 0x7FF or version is None or layer == 4:
        return None
    if kbits in (0, 15) or rate == 3:
        return None
    mpeg, divisor = version
    hz, padded = _RATES_HZ[rate] // divisor, bits >> 9 & 1
    bits_per_second = 1000 * _KBITS[mpeg, layer][kbits - 1]
    samples = {1: 384, 2: 1152, 3: 1152 // mpeg}[layer]
    if layer == 1:
        length = (12 * bits_per_second // hz + padded) * 4
    else:
        length = samples // 8 * bits_per_second // hz + padded
    mono = bits >> 6 & 3 == 3
    side = {(1, False): 32, (1, True): 17, (2, False): 17, (2, True): 9}[mpeg, mono]
    checksum = 0 if bits >> 16 & 1 else 2
    return _Frame(length, samples, bits_per_second // 1000, side=4 + checksum + side)


def _totals(data: bytes, place: int) -> _Totals | None:
    """Return what the frame at `place` says about the whole file; None if it is ordinary."""
    frame = _frame(data[place : place + 4])
    start = place + frame.side if frame else place
    if data[start : start + 4] in (b"Xing", b"Info"):
        flags = int.from_bytes(data[start + 4 : start + 8], "big")
        fields = [int.from_bytes(data[i : i + 4], "big") for i in range(start + 8, start + 16, 4)]
        frames = fields.pop(0) if flags & 1 else None
        return _Totals(frames, fields.pop(0) if flags & 2 else None)
    start = place + 36
    if data[start : start + 4] == b"VBRI":
        length, frames = (int.from_bytes(data[start + i : start + i + 4], "big") for i in (10, 14))
        return _Totals(frames, length)
    return None
