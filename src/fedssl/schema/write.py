"""Write the JSON schemas, with which editors complete and check configuration files."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from fedssl.grid.forms import form
from fedssl.paper.claims.settings import Claims, Contradictions
from fedssl.schema.config import Config

_ROOTS = {"config": Config, "claims": Claims, "contradictions": Contradictions}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_texts() -> dict[str, str]:
    """Return the text of each schema file by the name of the file."""
    return {
        f"{name}.schema.json": json.dumps(_schema(root), indent=1, ensure_ascii=False) + "\n"
        for name, root in _ROOTS.items()
    }


def write_schemas(folder: Path) -> None:
    """Write all schema files to a folder."""
    for name, text in schema_texts().items():
        (folder / name).write_text(text, encoding="utf-8")


def _schema(root: type) -> dict[str, Any]:
    schema: dict[str, Any] = _tidy(TypeAdapter(form(root)).json_schema())
    return {"$schema": _DIALECT, "title": " ".join((root.__doc__ or "").split()), **schema}


def _tidy(node: Any) -> Any:
    """Return a schema without the titles that pydantic adds, and with 0 instead of 0.0."""
    # Python caches equal types, so whether a limit is 0 or 0.0 depends on the order of imports.
    if isinstance(node, float) and node.is_integer():
        return int(node)
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if isinstance(node, dict):
        return {
            key: _tidy(value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }
    return node
