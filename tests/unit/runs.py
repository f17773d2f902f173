"""The records and products of a small run that never happened, for tests."""

import json
from pathlib import Path
from typing import Any

from fedssl.files import digest, sha256

HARDWARE = {"host": "node1", "cpu": "AMD EPYC", "cores": 2, "gpu": None}


def record(
    path: Path,
    rule: str,
    *,
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
    wildcards: dict[str, str] | None = None,
    script: str = "workflow/scripts/product.py",
    **facts: Any,
) -> Path:
    """Write a job's record as `fedssl.record.write` does."""
    content: dict[str, Any] = {
        "rule": rule,
        "wildcards": wildcards or {},
        "settings": {},
        "inputs": {name: _sha(name) for name in inputs or []},
        "outputs": {name: _sha(name) for name in outputs or []},
        "sources": {script: "0" * 64, "src/fedssl/__init__.py": "1" * 64},
        "git": {"commit": "c" * 40, "dirty": False},
        "packages": {"torch": "2.11.0"},
        "python": "3.11.7",
        "hardware": HARDWARE,
        "started": "2026-11-21T10:00:00+00:00",
        "ended": "2026-11-21T11:00:00+00:00",
        "seconds": 3600.0,
        "peak_memory_mb": {"host": 100.0},
    }
    content |= facts
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | {"digest": digest(content)}))
    return path


def _sha(name: str) -> str:
    return sha256(name) if Path(name).is_file() else "f" * 64
