"""Validate the merged configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

from fedssl.errors import UserError
from fedssl.grid.configuration import Layer
from fedssl.grid.forms import form
from fedssl.grid.mistakes import find_mistakes
from fedssl.grid.origins import sentence
from fedssl.schema.config import Config


def validate(config: Mapping[str, Any], layers: Sequence[Layer]) -> None:
    """Raise UserError with one line per mistake: file, key, value, and what would be right."""
    mistakes = find_mistakes(form(Config), config)
    if mistakes:
        # All at once, because each further attempt costs the user a start of Snakemake.
        raise UserError("\n".join(sentence(m.key, m.text, layers) for m in mistakes))
