"""The hashes of an array in blocks, as bank.json has them.

With them, the damaged part of a large array can be named, and a job that reads little of it
verifies little.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedssl.errors import UserError

# 59 GB have 7,030 blocks, whose hashes take 0.5 MB in bank.json; hashing a block takes 5 ms.
BLOCK_BYTES = 8 << 20
# Read and hashed at a time, so that the bytes stay in the cache of the CPU.
PIECE_BYTES = 1 << 20
_REBUILD = "delete bank.json next to it and rerun the bank rule"


@dataclass(frozen=True)
class ArrayHashes:
    """What bank.json says about the bytes of an array.

    Attributes:
        dataset: name of the dataset.
        size: size of the file in bytes.
        sha256: hash of the file.
        block_bytes: size of a block; the last one may be smaller.
        blocks: hash of each block.
        remedy: what to do if the file is damaged.
    """

    dataset: str
    size: int
    sha256: str
    block_bytes: int
    blocks: tuple[str, ...]
    remedy: str = _REBUILD

    def span(self, block: int) -> tuple[int, int]:
        """Return the first byte of a block, and the first one after it."""
        start = block * self.block_bytes
        return start, min(start + self.block_bytes, self.size)

    def compare(self, path: Path, block: int, found: str) -> None:
        """Raise UserError unless a block of the file at `path` has the hash `found`."""
        if found != self.blocks[block]:
            start, stop = self.span(block)
            raise UserError(
                f"{path} was changed after its bank was built: block {block + 1} of "
                f"{len(self.blocks)} of this array of {self.dataset} (bytes {start} to {stop - 1}) "
                f"has the SHA-256 {found}, and bank.json records {self.blocks[block]}; "
                f"{self.remedy}"
            )

    def check_size(self, path: Path) -> None:
        """Raise UserError unless the file at `path` has the size in bank.json."""
        found = path.stat().st_size if path.exists() else None
        if found != self.size:
            state = "is missing" if found is None else f"has {found} bytes instead of {self.size}"
            raise UserError(f"{path} {state}; {self.remedy}")

    def read(self, path: Path) -> bytes:
        """Return the whole file; raise UserError unless it is the one in bank.json."""
        self.check_size(path)
        content = path.read_bytes()
        for block in range(len(self.blocks)):
            start, stop = self.span(block)
            found = hashlib.sha256(memoryview(content)[start:stop]).hexdigest()
            self.compare(path, block, found)
        return content


def array_hashes(facts: Mapping[str, Any], name: str) -> ArrayHashes:
    """Return the hashes of an array, given the contents of bank.json."""
    file = facts["files"][name]
    # A bank of an earlier version has no blocks: its arrays are verified as one block each.
    blocks = facts.get("blocks", {"bytes": max(file["size"], 1), "sha256": {}})
    hashes = tuple(blocks["sha256"].get(name, [file["sha256"]]))
    return ArrayHashes(facts["dataset"], file["size"], file["sha256"], blocks["bytes"], hashes)


def file_facts(files: Mapping[str, Path]) -> dict[str, Any]:
    """Return the entries `files` and `blocks` of bank.json, for name -> file."""
    hashed = {name: _hash_blocks(path) for name, path in files.items()}
    return {
        "files": {
            name: {"sha256": whole, "size": files[name].stat().st_size}
            for name, (whole, _) in hashed.items()
        },
        "blocks": {
            "bytes": BLOCK_BYTES,
            "sha256": {name: blocks for name, (_, blocks) in hashed.items()},
        },
    }


def _hash_blocks(path: Path) -> tuple[str, list[str]]:
    """Return the SHA-256 of a file, and those of its blocks; an empty file has one block."""
    whole, blocks = hashlib.sha256(), []
    with path.open("rb") as file:
        while piece := file.read(min(PIECE_BYTES, BLOCK_BYTES)):
            if (file.tell() - len(piece)) % BLOCK_BYTES == 0:
                blocks.append(hashlib.sha256())
            whole.update(piece)
            blocks[-1].update(piece)
    return whole.hexdigest(), [block.hexdigest() for block in blocks or [whole]]
