"""Train two small cells in portable mode, and print the SHA-256 of what they compute.

`python -m tests.unit.portable_cell > tests/unit/portable_cell.json` in a checkout replaces the kept
hashes. Do so after a change of the code or of a package changed the bits.
"""

import json
import os
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fedssl.portable import LIMITS

KEPT = Path(__file__).with_suffix(".json")
ENCODERS = {
    "resnet18": {"arch": "resnet18", "width": 8, "embedding_dim": 16},
    "vit": {"arch": "vit", "patch": 8, "depth": 2, "heads": 2, "dim": 32}
    | {"mlp_ratio": 4, "embedding_dim": 16, "image_size": 32},
}


def compute() -> dict[str, Any]:
    """Return the hashes, and the machine and versions that they come from."""
    # The libraries read the limits when they are loaded, so they are imported only now.
    from fedssl.files import sha256
    from fedssl.record.write import hardware
    from tests.unit.federations import SETTINGS, lay_out, run

    federation = {**SETTINGS["federation"], "rounds": 1, "local_epochs": 1, "kept_rounds": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = lay_out(folder)
        hashes = {"spectrogram statistics": sha256(Path(inputs["normalisation"]))}
        for arch, encoder in ENCODERS.items():
            changes = {"encoder": encoder, "federation": federation, "portable": True}
            hashes[arch] = sha256(run(inputs, folder / arch, **changes))
    machine = {key: hardware()[key] for key in ("cpu", "instructions")}
    versions = {package: version(package) for package in ("numpy", "torch")}
    return {**machine, "packages": versions, "hashes": hashes}


def report(found: dict[str, Any], kept: dict[str, Any]) -> str:
    """Return a sentence that says which hashes equal the kept ones."""
    same = [name for name, value in kept["hashes"].items() if found["hashes"][name] == value]
    other = [name for name in kept["hashes"] if name not in same]
    versions = "" if found["packages"] == kept["packages"] else " and other package versions"
    parts = [f"the same: {', '.join(same) or 'none'}", f"other: {', '.join(other) or 'none'}"]
    return f"{found['cpu']} compared with {kept['cpu']}{versions}: {'; '.join(parts)}"


if __name__ == "__main__":
    os.environ.update(LIMITS)
    print(json.dumps(compute(), indent=1, sort_keys=True))
