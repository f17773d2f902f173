"""Environment variables that Snakemake's process passes to its jobs."""

import os
from pathlib import Path

from fedssl.portable import LIMITS


def prepare_jobs(source: Path, *, mirror: str | None, pins: str, portable: bool) -> None:
    """Set variables so that jobs can import the package and find the mirror and the pins.

    If the run is `portable`, also hold the libraries of every job to one instruction set.
    """
    # Jobs in a conda environment do not have the package installed.
    path = [str(source), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    # Not parameters of a rule: the mirror does not change what an archive is, and a changed
    # parameter would rerun the download.
    os.environ["FEDSSL_MIRROR"] = mirror or ""
    os.environ["FEDSSL_PINS"] = pins
    if portable:
        os.environ.update(LIMITS)
