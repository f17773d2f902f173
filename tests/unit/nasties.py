"""Hostile contents and names, made to harm the programs that read them."""

import io
import os
import pickle
import stat
import struct
import tarfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile

from fedssl.data.made_up.containers import python2_pickle
from tests.unit.sounds import encoded, tone


class Owner:
    """Create a folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("owned",)


def png(width: int, height: int) -> bytes:
    """Return a PNG that claims a size but holds only a little of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        size, checksum = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(kind + data))
        return size + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """Return the start of a JPEG that claims a size."""
    frame = struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes((1, 17, 0, 2, 17, 1, 3, 17, 1))
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda\0\x0c\x03\1\0\2\x11\3\x11\0\x3f\0" + bytes(99)


def wav(*, channels: int = 1, rate: int = 16_000, claimed: int = 200, bits: int = 16) -> bytes:
    """Return a WAV file with the given header before 200 bytes of sound."""
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels & 0xFFFF, rate, 0, width & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", claimed)
    return b"RIFF" + struct.pack("<I", min(claimed + 36, 0xFFFF_FFFF)) + body + bytes(200)


def flac(total: int) -> bytes:
    """Return a flac that claims `total` samples."""
    data = bytearray(encoded(tone(440, seconds=0.1), container="FLAC"))
    data[21] = data[21] & 0xF0 | total >> 32 & 0xF
    data[22:26] = (total & 0xFFFF_FFFF).to_bytes(4, "big")
    return bytes(data)


def silent_flac(seconds: int) -> bytes:
    """Return a FLAC file of silence, which is almost empty."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 48_000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(seconds // 10):
            file.write(np.zeros(480_000, np.int16))
    return buffer.getvalue()


def _array_pickle(shape: tuple[int, ...], data: bytes) -> bytes:
    """Return a CIFAR batch whose array has a shape that does not match its bytes."""
    content = python2_pickle({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]})
    return content.replace(struct.pack("<H", 3072), struct.pack("<H", shape[0]), 1) + data


CONTENTS: Mapping[str, bytes] = {
    "nothing": b"",
    "text": b"<html>log in</html>",
    "NULs": bytes(5_000),
    "a million zeros": bytes(1_000_000),
    "a PNG of 60,000 px": png(60_000, 60_000),
    "a PNG of 4,294,967,295 px": png(0x7FFF_FFFF, 0x7FFF_FFFF),
    "a PNG of no px": png(0, 0),
    "a JPEG of 65,535 px": jpeg(65_535, 65_535),
    "a JPEG of 5,000 px": jpeg(5_000, 5_000),
    "a wav of 4 GB": wav(claimed=0xFFFF_FFDB),
    "a wav that is cut": wav(claimed=5_000),
    "a wav of 65,535 channels": wav(channels=65_535),
    "a wav of no channel": wav(channels=0),
    "a wav at 0 Hz": wav(rate=0),
    "a wav at 1 Hz": wav(rate=1),
    "a wav at 4 GHz": wav(rate=0xFFFF_FFFF),
    "a wav of 64 bits": wav(bits=64),
    "a flac of 2^36 samples": flac((1 << 36) - 1),
    "a flac of 2^25 samples": flac(1 << 25),
    "NaN": encoded(np.array([0.0, np.nan, np.inf]), subtype="FLOAT"),
    "one sample": encoded(np.zeros(1)),
    "no sample": encoded(np.zeros(0)),
    "deep JSON": b"[" * 200_000,
    "a long number": b'{"a": ' + b"9" * 100_000 + b"}",
    "a lone surrogate": b'{"bass_electronic_018-022-075": {"instrument_family_str": "\\ud800"}}',
    "a pickle that acts": pickle.dumps({"data": Owner()}),
    "a pickle that acts, protocol 0": pickle.dumps(Owner(), 0),
    "a pickle that imports": b"cos\nsystem\n(S'mkdir owned'\ntR.",
    "a pickle of a global": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "a pickle of 2^60 bytes": b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little"),
    "a pickle of a long": b"\x80\x02\x8b\xff\xff\xff\x7f",
    "a pickle of a huge array": b"cnumpy\nndarray\n((I1000000000\nI1000000000\ntS'u1'\ntR.",
    "a pickle of a dtype": b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb.",
    "a pickle of memo cells": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a pickle of an extension": b"\x80\x02\x82\x01.",
    "a pickle without end": b"(" * 100_000,
    "a pickle of rows": _array_pickle((9_999,), b""),
    "a csv of NULs": b"a,\0,b\n",
    "a csv of quotes": b'"' * 200_000,
    "a csv of big numbers": b"AbCdEfGhIjK," + b"9" * 10_000 + b",a,train\n",
}

NAMES = [
    *("../owned", "/tmp/owned", "a/../../owned", "..\\owned", "C:\\owned", "//host/owned"),
    *("", ".", "..", "./", "/", "a/", "~/owned", "$HOME/owned", "-rf", "a" * 5_000, "a/" * 2_000),
    *("\N{RIGHT-TO-LEFT OVERRIDE}gpj.wav", "Z\u0351\u036b\u0343algo.wav", "\udcff.wav", "\n"),
    *("CON", "a:b", "a\tb", "recordings/\u00fc.wav", "sound/a/\u0301.wav", "vision/ /x.jpg"),
]

TAR_KINDS: list[dict[str, Any]] = [
    {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    {"type": tarfile.LNKTYPE, "linkname": "../../owned"},
    {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
    {"type": tarfile.BLKTYPE},
    {"type": tarfile.FIFOTYPE},
    {"type": tarfile.DIRTYPE},
    {"type": tarfile.CONTTYPE},
    {"type": tarfile.GNUTYPE_SPARSE},
    {"type": tarfile.XHDTYPE},
    {"type": tarfile.XGLTYPE},
    {"type": tarfile.GNUTYPE_LONGNAME},
    {"type": b"?"},
    {"size": 1 << 40},
    {"size": 0},
    {"pax_headers": {"size": "-1"}},
    {"pax_headers": {"size": "9" * 30}},
    {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}},
    {"pax_headers": {"GNU.sparse.map": "0,1,x", "GNU.sparse.size": "1"}},
    {"pax_headers": {"GNU.sparse.realsize": str(1 << 50), "GNU.sparse.map": "0,1"}},
    {"mode": stat.S_ISUID | 0o777, "uid": 0, "mtime": 1 << 60},
]

ZIP_LIES: list[dict[str, Any]] = [
    {"flag_bits": 0x1},
    {"flag_bits": 0x41},
    {"flag_bits": 0x800},
    {"flag_bits": 0x20},
    {"compress_type": 12},
    {"compress_type": 14},
    {"compress_type": 99},
    {"compress_type": 0},
    {"file_size": 1 << 40},
    {"file_size": 0},
    {"file_size": 3},
    {"compress_size": 1 << 40},
    {"compress_size": 0},
    {"header_offset": 1 << 50},
    {"header_offset": 0},
    {"CRC": 0},
    {"external_attr": (stat.S_IFLNK | 0o777) << 16},
    {"external_attr": (stat.S_IFIFO | 0o777) << 16},
    {"extra": b"\x01\x00\xff\xff"},
    {"extra": struct.pack("<HHQQQ", 1, 24, 1 << 62, 1 << 62, 1 << 62)},
]
