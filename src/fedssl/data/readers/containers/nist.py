"""NIST SPHERE, the format of TIMIT and other speech corpora, whose files often end in .wav."""

import re

from fedssl.data.readers.containers.container import OPEN_END, REST, Container, cut_off, joined
from fedssl.data.samples import UnreadableError

MAGIC = b"NIST"
_FIELD = re.compile(
    rb"^(sample_count|sample_n_bytes|channel_count) -(?:i|s\d+) (\d+)\s*$", re.MULTILINE
)
_PACKED = re.compile(rb"^sample_coding -s\d+ \S*(shorten|wavpack|shortpack)", re.MULTILINE)


def inspect(data: bytes) -> Container:
    """Return what a SPHERE file holds.

    Raises:
        UnreadableError: it is cut off, joined or compressed.
    """
    # The second line is the length of the header.
    stated = data[8:16].strip()
    start = int(stated) if stated.isdigit() else 0
    if packed := _PACKED.search(data[:start]):
        raise UnreadableError(f"it is compressed ({packed[1].decode()}); unpack it with sph2pipe")
    fields = {name: int(value) for name, value in _FIELD.findall(data[:start])}
    if len(fields) < 3:
        return Container(data, (OPEN_END,))
    length = fields[b"sample_count"] * fields[b"sample_n_bytes"] * fields[b"channel_count"]
    if start + length > len(data):
        raise cut_off(max(len(data) - start, 0), length)
    rest = data[start + length :]
    if rest.startswith(MAGIC):
        raise joined()
    # libsndfile would read what follows as sound.
    return Container(data[: start + length], (REST,) if rest.strip(b"\0") else ())
