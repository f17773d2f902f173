"""Where the papers contradict themselves, their tables or the data; and averages that are wrong."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from fedssl.configuration import key_text
from fedssl.errors import UserError
from fedssl.reporting.published import PROTOCOL_LABELS, printed_averages, read_published


def read_contradictions(path: str | Path) -> list[dict[str, str]]:
    """Return the entries of a YAML file, valid by the schema in the folder `schemas` beside it.

    Raises:
        UserError: An entry breaks the schema, or takes the id of another; names file and entry.
    """
    path = Path(path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = json.loads(
        path.with_name("schemas").joinpath("contradictions.schema.json").read_text()
    )
    error = best_match(Draft202012Validator(schema).iter_errors(content))
    if error:
        raise UserError(f"{path}: {key_text(error.absolute_path)}: {error.message}.")
    entries: list[dict[str, str]] = content["contradictions"]
    known: set[str] = set()
    for entry in entries:
        if entry["id"] in known:
            raise UserError(f"{path}: two entries have the id {entry['id']}; each needs its own.")
        known.add(entry["id"])
    return entries


def wrong_averages(published: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Return the papers' averages that their own cells do not give."""
    wrong = printed_averages(read_published(published))
    return [
        {**record, "column": f"{record['column']} {PROTOCOL_LABELS[record['protocol']]}"}
        for record in wrong.to_dict("records")
    ]
