"""AU, the format of Sun and NeXT."""

from collections.abc import Mapping

from fedssl.data.readers.containers.container import (
    NO_LENGTH,
    OPEN_END,
    REST,
    Container,
    Order,
    cut_off,
    is_placeholder,
    joined,
    padded,
    with_length,
)

ORDERS: Mapping[bytes, Order] = {b".snd": "big", b"dns.": "little"}
_UNKNOWN = 0xFFFF_FFFF  # as the format defines it
_BLOCK_FORMATS = (23, 25, 26)  # G.721 and G.723, which end with a whole block


def inspect(data: bytes) -> Container:
    """Return what an AU file holds.

    Raises:
        UnreadableError: it is cut off or joined.
    """
    sound, order = _sound(data), ORDERS[data[:4]]
    return padded(sound) if int.from_bytes(data[12:16], order) in _BLOCK_FORMATS else sound


def _sound(data: bytes) -> Container:
    order = ORDERS[data[:4]]
    start, length = (int.from_bytes(data[i : i + 4], order) for i in (4, 8))
    there = len(data) - start
    if there < 0:
        raise cut_off(len(data), start, "bytes before its sound")
    if length == _UNKNOWN:
        return Container(data, (OPEN_END,))
    if length == 0 < there or (length > there and is_placeholder(length)):
        return Container(with_length(data, 8, there, size=4, order=order), (NO_LENGTH,))
    if length > there:
        raise cut_off(there, length)
    rest = data[start + length :]
    if rest[:4] in ORDERS:
        raise joined()
    # libsndfile would read what follows as sound.
    return Container(data[: start + length], (REST,) if rest.strip(b"\0") else ())
