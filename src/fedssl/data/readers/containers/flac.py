"""FLAC."""

from fedssl.data.readers.containers.container import Container, joined
from fedssl.data.samples import UnreadableError

MAGIC = b"fLaC"
# A second file begins with the same block of metadata; its first byte has a flag.
_STARTS = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")


def inspect(data: bytes) -> Container:
    """Return what a FLAC file holds; the decoder itself notices that frames are damaged.

    Raises:
        UnreadableError: it is joined, or does not say how long it is.
    """
    if any(data.find(start, 4) > 0 for start in _STARTS):
        raise joined()
    samples = int.from_bytes(data[18:26], "big") % (1 << 36)
    if not samples:
        raise UnreadableError("its header gives no number of samples; encode it again")
    return Container(data)
