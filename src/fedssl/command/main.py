"""The entry point of the `fedssl` command, with one module per subcommand."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from fedssl.errors import UserError

_SUBCOMMANDS = (
    "cells",
    "explain",
    "show",
    "diff",
    "estimate",
    "power",
    "audit",
    "repair",
    "mirror",
)


class _Group(TyperGroup):
    """A group that reports a user's mistake in one sentence and exits with code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; print the message of a UserError without a traceback."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(f"fedssl: {error}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    # An unexpected error shows Python's own traceback, which users can report.
    pretty_exceptions_enable=False,
    help="Inspect cells, audit and repair results, collect archives. Only repair starts jobs.",
)
for _name in _SUBCOMMANDS:
    app.command(_name)(getattr(import_module(f"fedssl.command.{_name}"), _name))
