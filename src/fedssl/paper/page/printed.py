"""What the page says of published numbers: notes, contradictions, and averages that are wrong."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fedssl.paper.claims.entries import read_entries
from fedssl.paper.claims.evidence import cell_name
from fedssl.paper.page.claims import Places
from fedssl.paper.published import heading, printed_averages, read_published


def published_notes(published: Iterable[str | Path]) -> dict[tuple[str, ...], str]:
    """Return (study, table, row, column) -> note of each published number that has one."""
    return {
        (record["study"], record["table"], record["row"], _column(record)): record["note"]
        for record in read_published(published).to_dict("records")
        if record["note"]
    }


def wrong_averages(published: Iterable[str | Path], *, places: Places) -> list[dict[str, Any]]:
    """Return the papers' averages that differ from the mean of their own cells.

    `anchor` is that of the number in its table; empty if the run has no such table.
    """
    wrong = printed_averages(read_published(published))
    records = [
        {str(key): value for key, value in record.items()} | {"column": _column(record)}
        for record in wrong.to_dict("records")
    ]
    return [record | {"anchor": _anchor(record, places)} for record in records]


def read_contradictions(path: str | Path, *, places: Places) -> list[dict[str, Any]]:
    """Return the entries of `contradictions.yaml`, each with its cells as (name, anchor).

    The anchor is empty if the run has no such number.
    """
    return [
        {**entry, "cells": [(n, _place(entry["paper"], n, places)) for n in entry.get("cells", ())]}
        for entry in read_entries(path)
    ]


def _place(study: str, name: str, places: Places) -> str:
    return places.get(study, {}).get(name, "")


def _anchor(record: dict[str, Any], places: Places) -> str:
    name = cell_name((record["table"], record["row"], record["column"]))
    return _place(record["study"], name, places)


def _column(record: dict[Any, Any]) -> str:
    return heading(record["column"], record["protocol"])
