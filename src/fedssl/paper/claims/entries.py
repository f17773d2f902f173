"""Read hand-written lists of entries, each with an id: claims and contradictions."""

from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.configuration import key_text
from fedssl.grid.forms import form
from fedssl.grid.mistakes import find_mistakes
from fedssl.grid.yaml_file import read_yaml
from fedssl.paper.claims.settings import Claims, Contradictions

_DECLARED = {"claims": Claims, "contradictions": Contradictions}


def read_entries(path: str | Path) -> list[dict[str, Any]]:
    """Return the entries of `<name>.yaml`, which are listed under its key `<name>`.

    Raises:
        UserError: An entry differs from its declaration in `settings.py`, or two entries have the
            same id. The message names the file and the entry.
    """
    path = Path(path)
    content, _ = read_yaml(path.read_text(encoding="utf-8"), str(path))
    if mistakes := find_mistakes(form(_DECLARED[path.stem]), content):
        raise UserError("\n".join(f"{path}: {key_text(m.key)} {m.text}." for m in mistakes))
    entries: list[dict[str, Any]] = content[path.stem]
    known: set[str] = set()
    for entry in entries:
        if entry["id"] in known:
            raise UserError(
                f"{path}: two {path.stem} have the id {entry['id']}; each must have its own."
            )
        known.add(entry["id"])
    return entries
