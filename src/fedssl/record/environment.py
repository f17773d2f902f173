"""Environment variables that Snakemake's process passes to its jobs."""

import os
from pathlib import Path


def prepare_jobs(source: Path, *, mirror: str | None, pins: str) -> None:
    """Set variables so that jobs can import the package and find the mirror and the pins."""
    # Jobs in a conda environment do not have the package installed.
    path = [str(source), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    # Not parameters of a rule: the mirror does not change what an archive is, and a changed
    # parameter would rerun the download.
    os.environ["FEDSSL_MIRROR"] = mirror or ""
    os.environ["FEDSSL_PINS"] = pins
