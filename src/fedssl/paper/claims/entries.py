"""Lists of hand-written entries, each with an id: claims, contradictions."""

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from fedssl.errors import UserError
from fedssl.grid.configuration import key_text


def read_entries(path: str | Path) -> list[dict[str, Any]]:
    """Return the entries of `<name>.yaml`, which stand there under the key `<name>`.

    They are valid by `schemas/<name>.schema.json` beside it.

    Raises:
        UserError: An entry breaks the schema or takes the id of another; names file and entry.
    """
    path = Path(path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema = json.loads((path.parent / "schemas" / f"{path.stem}.schema.json").read_text())
    error = best_match(Draft202012Validator(schema).iter_errors(content))
    if error:
        raise UserError(f"{path}: {key_text(error.absolute_path)}: {error.message}.")
    entries: list[dict[str, Any]] = content[path.stem]
    known: set[str] = set()
    for entry in entries:
        if entry["id"] in known:
            raise UserError(
                f"{path}: two {path.stem} have the id {entry['id']}; each needs its own."
            )
        known.add(entry["id"])
    return entries
