"""Tell users' own studies from the papers', for which numbers are published."""

from collections.abc import Iterable, Mapping
from typing import Any

PAPERS = ("fssuavl", "fassl")
# Sections whose entries each belong to a study.
_OF_STUDIES = ("contrasts", "maps", "sweeps", "tables")


def is_own(study: str) -> bool:
    """Return whether a study is a user's own, so that nothing is published of it."""
    return study not in PAPERS


def own_studies(config: Mapping[str, Any]) -> list[str]:
    """Return the users' own studies that have cells."""
    return [name for name, study in config["studies"].items() if is_own(name) and study["cells"]]


def without_papers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration without the papers' studies, if a user's own study has cells.

    Their tables and figures are left out, too. Otherwise the report page of an own study would need
    all cells of the papers.
    """
    if not own_studies(config):
        return dict(config)
    left = {
        section: {name: e for name, e in config[section].items() if is_own(e["study"])}
        for section in _OF_STUDIES
    }
    studies = {name: study for name, study in config["studies"].items() if is_own(name)}
    return {**config, **left, "studies": studies}


def only_asked(targets: Iterable[str], config: Mapping[str, Any]) -> list[str]:
    """Return the own studies that the targets name, if all targets are such studies."""
    named = list(targets)
    return named if set(named) <= set(own_studies(config)) else []
