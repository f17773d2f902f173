"""What a container of sound says about its length, and the notes and reasons of all formats."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from fedssl.data.samples import UnreadableError

Order = Literal["little", "big"]

# Notes are recorded in bank.json and counted there by their text.
NO_LENGTH = "its header has no valid length, so the sound was read to the end of the file"
OPEN_END = "its format does not say how long the sound is, so a cut file would not be noticed"
REST = "bytes behind its sound were not read"
PADDING = "its last block may end with padding, because its header does not say how long it is"

# Programs that write to a pipe do not know the length. They write 0, the largest number of 31 or
# 32 bits or a little less (SoX writes 0x7F00_0000), or a round number.
_LARGE = 0x7F00_0000
_ROUND = (1_000_000_000, 2_000_000_000, 1 << 30)


@dataclass(frozen=True)
class Container:
    """A whole sound file.

    Attributes:
        data: bytes to decode; a placeholder in the header is replaced by the true length.
        notes: what a user should know about this file.
        samples: number of samples per channel, if it is less than the decoder returns because the
            last block is padded; None to keep all.
        least: number of samples per channel that the decoder must return; None if it is unknown.
    """

    data: bytes
    notes: tuple[str, ...] = ()
    samples: int | None = None
    least: int | None = None


def is_placeholder(length: int) -> bool:
    """Return whether a length in bytes stands for an unknown one."""
    return length >= _LARGE or length in _ROUND


def cut_off(there: int, length: int, what: str = "bytes") -> UnreadableError:
    """Return the error for a sound of which only a part is there."""
    return UnreadableError(f"it is not a whole sound file: {there} of its {length} {what}")


def joined() -> UnreadableError:
    """Return the error for several sound files in one."""
    return UnreadableError("it is several sound files joined to one; split it")


def chunks(data: bytes, start: int, order: Order) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start of the content and the length of each chunk of an IFF file."""
    while start + 8 <= len(data):
        length = int.from_bytes(data[start + 4 : start + 8], order)
        yield data[start : start + 4], start + 8, length
        # Chunks are padded to an even length.
        start += 8 + length + length % 2


def is_kind(kind: bytes) -> bool:
    """Return whether four bytes can be the kind of a chunk."""
    return kind.isascii() and kind.decode().isprintable()


def end_of_chunks(data: bytes, start: int, order: Order) -> int:
    """Return where the chunks that begin at `start` end; the rest of the data is no chunk."""
    end = start
    for kind, begin, length in chunks(data, start, order):
        if not is_kind(kind) or begin + length > len(data):
            break
        end = begin + length + length % 2
    return end


def with_length(data: bytes, place: int, length: int, *, size: int, order: Order) -> bytes:
    """Return the data with a length of `size` bytes written at `place`."""
    return data[:place] + length.to_bytes(size, order) + data[place + size :]


def padded(found: Container) -> Container:
    """Return a file of whole blocks whose header does not say how many samples it has."""
    return replace(found, notes=(*found.notes, PADDING))


def without_padding(found: Container, *, blocks: int, per_block: int, samples: int) -> Container:
    """Return a file of whole blocks with the number of its samples, if the header gives it.

    Args:
        found: the file.
        blocks: number of blocks, each of `per_block` samples.
        per_block: samples per channel of a block.
        samples: samples per channel that the header gives; 0 if it gives none.
    """
    # The last block holds at least one sample. Some programs count the padding, too.
    if (blocks - 1) * per_block < samples < blocks * per_block:
        return replace(found, samples=samples)
    return padded(found)
