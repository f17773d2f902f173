"""Find out what a sound file says about its own length."""

from collections.abc import Callable, Mapping

from fedssl.data.readers.containers import aiff, au, caf, flac, mp3, nist, ogg, riff, w64
from fedssl.data.readers.containers.container import OPEN_END, Container

_BY_MAGIC: Mapping[bytes, Callable[[bytes], Container]] = {
    **dict.fromkeys(riff.ORDERS, riff.inspect),
    **dict.fromkeys(au.ORDERS, au.inspect),
    w64.MAGIC[:4]: w64.inspect,
    aiff.MAGIC: aiff.inspect,
    caf.MAGIC: caf.inspect,
    flac.MAGIC: flac.inspect,
    nist.MAGIC: nist.inspect,
    ogg.MAGIC: ogg.inspect,
}


def inspect(data: bytes) -> Container:
    """Return a sound file as it is to be decoded.

    Raises:
        UnreadableError: it is cut off, or several files are joined to one.
    """
    sound = _without_tag(data)
    if found := _BY_MAGIC.get(sound[:4]):
        return found(sound)
    if sound[:1] == b"\xff" or sound is not data:
        return mp3.inspect(sound)
    return Container(data, (OPEN_END,))


def _without_tag(data: bytes) -> bytes:
    """Return the data without the ID3 tags at its start."""
    while data[:3] == b"ID3" and len(data) > 10:
        # Seven bits of each byte count. Bit 4 of the flags says that the tag has a footer.
        length = sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(data[6:10]))
        data = data[10 + length + (10 if data[5] & 0x10 else 0) :]
    return data
