"""What must hold before a job gives a file its name, and which files the job has verified.

Large arrays are verified while a job already computes with them. Whatever the job keeps, be it a
checkpoint or a result, is held back until what it has read so far is verified. A job that has lost
a lease keeps nothing either.
"""

from collections.abc import Callable

_checks: list[Callable[[], None]] = []
_verified: dict[str, str] = {}


def before_publishing(check: Callable[[], None]) -> None:
    """Let `atomic_write` call `check` before each rename; it raises UserError to prevent it."""
    _checks.append(check)


def check_publishing() -> None:
    """Raise UserError if this process must not publish a file."""
    for check in _checks:
        check()


def add_verified(path: str, sha256: str) -> None:
    """Remember that this process reads a file that is verified, for the record of its job."""
    _verified[path] = sha256


def verified_files() -> dict[str, str]:
    """Return the SHA-256 of each file that this process reads and verifies."""
    return dict(_verified)


def forget_verified() -> None:
    """Start a new job."""
    _verified.clear()
