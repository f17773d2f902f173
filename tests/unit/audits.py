"""Ways to damage and forge results, and what an audit says of a file or of a unit."""

from pathlib import Path

from fedssl.audit.audit import Audit
from fedssl.audit.findings import Finding, Verdict
from fedssl.files import sha256
from tests.unit.results import CELL, sign

KNN = f"evaluate/{CELL}/cifar10/knn"


def found(result: Audit) -> dict[str, Finding]:
    """Return the worst finding of each file."""
    findings = [finding for unit in result.units for finding in unit.findings]
    return {f.file: f for f in sorted(findings, key=lambda f: [*Verdict].index(f.verdict))}


def verdict(result: Audit, kind: str, name: str) -> Verdict:
    return next(unit.verdict for unit in result.units if (unit.kind, unit.name) == (kind, name))


def swap(record: Path, side: str, path: Path) -> None:
    """Forge a record: let it say the present SHA-256 of one of its files."""

    def change(content: dict) -> None:
        name = next(n for n in content[side] if n.endswith(path.name))
        content[side][name] = sha256(path)

    sign(record, change)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
