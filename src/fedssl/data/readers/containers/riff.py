"""WAV in all its forms: RIFF, RIFX (big-endian), RF64 and BW64 (64-bit lengths)."""

from collections.abc import Mapping

from fedssl.data.readers.containers.container import (
    NO_LENGTH,
    REST,
    Container,
    Order,
    chunks,
    cut_off,
    end_of_chunks,
    is_placeholder,
    joined,
    padded,
    with_length,
    without_padding,
)

ORDERS: Mapping[bytes, Order] = {
    b"RIFF": "little",
    b"RIFX": "big",
    b"RF64": "little",
    b"BW64": "little",
}
_IN_DS64 = 0xFFFF_FFFF
# Formats of blocks that the header gives the number of samples of: Microsoft and IMA ADPCM, GSM.
BLOCK_FORMATS = (0x02, 0x11, 0x31)
# Formats of blocks without it: G.723, NMS ADPCM and G.721.
_UNCOUNTED = (0x14, 0x38, 0x40)


def inspect(data: bytes) -> Container:
    """Return what a WAV file holds.

    Raises:
        UnreadableError: it is cut off or joined.
    """
    order = ORDERS[data[:4]]
    found: dict[bytes, bytes] = {}
    for kind, start, length in chunks(data, 12, order):
        if kind == b"data":
            sound = _sound(data, start, length, found.get(b"ds64", b""))
            return _unpadded(sound, start, found, order)
        found[kind] = data[start : start + length]
    return Container(data)


def _sound(data: bytes, start: int, length: int, long: bytes) -> Container:
    """Return the file whose samples begin at `start`; `long` is the chunk of 64-bit lengths."""
    order = ORDERS[data[:4]]
    file_length = int.from_bytes(data[4:8], order)
    if long:
        file_length = int.from_bytes(long[:8], "little")
        length = int.from_bytes(long[8:16], "little") if length == _IN_DS64 else length
    there = len(data) - start
    whole = file_length + 8 == len(data)
    if length > there:
        # Either of the two lengths can be wrong. Some programs add the header to the length.
        consistent = file_length + 8 >= start + length
        header = length - there in (start, start - 8) and not consistent
        if not (is_placeholder(length) or whole or header):
            raise cut_off(there, length)
        return _with_length(data, start, there)
    # Some programs leave out the byte that pads a chunk to an even length.
    ends = (start + length, start + length + length % 2)
    if any(data[end : end + 4] in ORDERS for end in ends):
        raise joined()
    if max(end_of_chunks(data, end, order) for end in ends) >= len(data.rstrip(b"\0")):
        return Container(data)
    # What follows the samples is no chunk, so it may be samples that the length does not count.
    if length == 0 or whole:
        return _with_length(data, start, there)
    return Container(data, (REST,))


def _with_length(data: bytes, start: int, there: int) -> Container:
    # libsndfile takes the length of RF64 from another chunk, which it passes over in RIFF.
    kind = b"RIFX" if data[:4] == b"RIFX" else b"RIFF"
    whole = with_length(data, start - 4, there, size=4, order=ORDERS[kind])
    return Container(kind + whole[4:], (NO_LENGTH,))


def _unpadded(
    found: Container, start: int, header: Mapping[bytes, bytes], order: Order
) -> Container:
    """Return the file with the number of samples that its last block, which is padded, holds."""
    described, stated = header.get(b"fmt ", b""), header.get(b"fact", b"")
    kind = int.from_bytes(described[:2], order)
    if kind not in BLOCK_FORMATS:
        return padded(found) if kind in _UNCOUNTED else found
    block_bytes, per_block = (int.from_bytes(described[i : i + 2], order) for i in (12, 18))
    length = int.from_bytes(found.data[start - 4 : start], order)
    samples = int.from_bytes(stated[:4], order)
    blocks = -(-length // max(block_bytes, 1))
    return without_padding(found, blocks=blocks, per_block=per_block, samples=samples)
