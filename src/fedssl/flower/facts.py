"""What a provenance record says about the engine: which it was, and its code."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from fedssl.files import sha256


def engine_facts(runtime: str) -> dict[str, Any]:
    """Return the entry `engine` of a record.

    The code of this package is not among the `sources` of a cell, because it does not change a
    bit of its result; its hashes are here.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    code = {f"src/fedssl/flower/{file.name}": sha256(file) for file in files}
    return {
        "engine": {"name": "flower", "runtime": runtime, "flwr": version("flwr"), "sources": code}
    }
