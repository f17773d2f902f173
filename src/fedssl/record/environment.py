"""What Snakemake's process hands to the jobs that it starts."""

import os
from pathlib import Path


def prepare_jobs(source: Path, *, mirror: str | None, pins: str) -> None:
    """Let jobs import the package, in the user's environment or in conda's, find mirror and pins.

    Where an archive comes from is no part of what it is, so it is no parameter of a rule.
    """
    path = [str(source), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    os.environ["FEDSSL_MIRROR"] = mirror or ""
    os.environ["FEDSSL_PINS"] = pins
