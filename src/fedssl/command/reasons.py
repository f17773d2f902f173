"""Translate Snakemake's reason for running a job into plain sentences."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fedssl.grid.settings_diff import settings_diff

_PARAMS = re.compile(r"Union of exclusive params .*?before: (.*) now: (.*?) (?:$|; )", re.DOTALL)
# Snakemake has no other interface to its reasons than this text. `test_snakemake_api.py` fails if a
# new version words it differently.
_PLAIN = {
    "Forced execution": "forced",
    "Missing output files": "has not run, or its files are gone",
    "Incomplete output files": "was interrupted",
    "Set of input files has changed": "reads other files than before",
    "Code has changed": "its rule was edited",
    "Software environment definition": "the conda environment was edited",
}
_FOLLOWS = re.compile(r"Input files updated by another job: ([^;]*)")
_UPDATED = re.compile(r"Updated input files: ([^;]*)")
_HASH = re.compile(r"[0-9a-f]{16}")


def causes(reason: str) -> list[str]:
    """Return why a job would run, one sentence each; empty if it only follows another job."""
    found = [text for heading, text in _PLAIN.items() if heading in reason]
    found += [f"newer input: {match[1].strip()}" for match in _UPDATED.finditer(reason)]
    if match := _PARAMS.search(reason):
        found += _parameters(_values(match[1]), _values(match[2]))
    return found


def follows(reason: str) -> list[str]:
    """Return the inputs of a job that other jobs would write again."""
    match = _FOLLOWS.search(reason)
    return [name.strip() for name in match[1].split(",")] if match else []


def _values(text: str) -> list[Any]:
    """Return the parameters in Snakemake's text, which has the repr of plain data."""
    try:
        return list(ast.literal_eval(f"[{text}]"))
    except (SyntaxError, ValueError):
        return []


def _parameters(before: list[Any], now: list[Any]) -> list[str]:
    """Return the differences between two lists of parameters."""
    # Snakemake lists changed parameters without names and in no order, so each mapping is compared
    # with the earlier mapping that shares most keys with it.
    olds = [value for value in before if isinstance(value, Mapping)]
    found = []
    for new in (value for value in now if isinstance(value, Mapping)):
        old = max(olds, key=lambda o: len(o.keys() & new.keys()), default={})
        olds = [other for other in olds if other is not old]
        found += list(_mapping(old, new))
    return found or ["a parameter of its rule has changed"]


def _mapping(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    digests = all(isinstance(value, str) and _HASH.fullmatch(value) for value in new.values())
    for change in settings_diff(old, new):
        if not digests:
            yield str(change)
        elif change.key in old and change.key in new:
            yield f"code was edited: {change.key}"
        else:
            yield f"code is {'newly used' if change.key in new else 'no longer used'}: {change.key}"
