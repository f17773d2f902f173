"""The lease of a run on its results folder, which other checkouts and users respect."""

import atexit
import os
import signal
import sys
from pathlib import Path

from fedssl.errors import UserError
from fedssl.lease import Lease, take

_HELD: dict[Path, Lease] = {}


def hold_results(results: str) -> None:
    """Keep other runs out of a results folder, until `release_results` or the end of the process.

    Snakemake locks the checkout, which says nothing to a run in another checkout. And Snakemake
    deletes the outputs of the jobs that it is about to run.

    Raises:
        UserError: Another run has the folder, or it cannot be written.
    """
    path = Path(results).absolute() / ".lease"
    if path in _HELD:
        return
    try:
        _HELD[path] = take(path, what=results, on_loss=_stop)
    except OSError as error:
        raise UserError(
            f"results_dir is {results}, which cannot be written ({error.strerror}): make room "
            "there, ask its owner for access, or set results_dir to a folder of your own."
        ) from error
    atexit.register(release_results)


def release_results() -> None:
    """Let other runs into the results folder."""
    while _HELD:
        _HELD.popitem()[1].release()


def _stop(message: str) -> None:
    print(f"{message} No further job starts.", file=sys.stderr)
    # Snakemake then waits for the running jobs, which have leases of their own.
    os.kill(os.getpid(), signal.SIGTERM)
