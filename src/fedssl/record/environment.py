"""Environment variables that Snakemake's process passes to its jobs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedssl.portable import LIMITS
from fedssl.record.storage import FOLDER

_RULES = "FEDSSL_RULES"


def prepare_jobs(
    source: Path,
    *,
    mirror: str | None,
    pins: str,
    banks: Mapping[str, Any],
    portable: bool,
    rules: str,
    engine: str,
    superlink: str | None,
    track: str | None,
    copies: str | None,
) -> None:
    """Set variables so that jobs can import the package, and find what does not change a result.

    These are mirror, pins, places of banks, engine, tracker, and the folder of the local `copies`
    of files in a storage. If the run is `portable`, also hold the libraries of every job to one
    instruction set. `rules` is the pattern of rule names, which differs from `*` in a module with
    a prefix.
    """
    # Jobs in a conda environment do not have the package installed.
    path = [str(source), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    # Not parameters of a rule: the mirror does not change what an archive is, and a changed
    # parameter would rerun the download.
    os.environ["FEDSSL_MIRROR"] = mirror or ""
    os.environ["FEDSSL_PINS"] = pins
    # Nor does the place that a bank is read from change a result.
    os.environ["FEDSSL_BANKS_READ_FROM"] = banks["read_from"]
    os.environ["FEDSSL_BANKS_STAGING"] = banks["staging"] or ""
    # As in `use rule * from fedssl as fedssl_*`. A single rule that is imported again has no star.
    if "*" in rules:
        os.environ[_RULES] = rules
    # Nor does the engine, whose bits are the same.
    os.environ["FEDSSL_ENGINE"] = engine
    os.environ["FEDSSL_SUPERLINK"] = superlink or ""
    os.environ["FEDSSL_TRACK"] = track or ""
    os.environ[FOLDER] = copies or ""
    if portable:
        os.environ.update(LIMITS)


def own_rule_name(rule: str) -> str:
    """Return the name of a rule in this workflow; a workflow that imports it may rename it."""
    before, _, after = os.environ.get(_RULES, "*").partition("*")
    return rule.removeprefix(before).removesuffix(after)
