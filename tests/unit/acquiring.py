"""One archive of a made-up data set, its server or mirror, and what is fetched."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedssl.data.fetch.acquire import acquire
from tests.unit.servers import BODY, FILE

SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


def archive(*urls: str, **changes: Any) -> dict[str, Any]:
    return {"file": FILE, "urls": list(urls), "size": len(BODY), "checksum": SHA256, **changes}


def fetch(entry: Mapping[str, Any], folder: Path, **changes: Any) -> Path:
    settings = {"dataset": "toy", "mirror": None, "access": None}
    settings["pins"] = folder.parent / f"{folder.name}.pins.yaml"
    acquire(entry, folder / FILE, **{**settings, **changes})
    return folder / FILE


def visible(folder: Path) -> list[str]:
    """Return the visible files in `folder` and any partial files."""
    return sorted(path.name for path in folder.iterdir())


def mirrored(folder: Path, body: bytes = BODY) -> str:
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / FILE).write_bytes(body)
    return str(folder)
