"""The entry point of the `fedssl` command, with one module per subcommand."""

import errno
import os
import shlex
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from fedssl.errors import UserError, describe

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
    "export",
    "embed",
)


class _Group(TyperGroup):
    """A group that reports a mistake in one sentence and exits with code 2, or 1 if it is ours."""

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; print the message of an exception without its traceback."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(f"fedssl: {error}", err=True)
            raise typer.Exit(2) from error
        except (typer.Abort, typer.Exit, TyperException):
            raise
        except Exception as error:
            # The reader of the output has ended, as in `fedssl cells | head`.
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            typer.echo(f"fedssl: {describe(error)}; {_logged()}.", err=True)
            raise typer.Exit(1) from error


def _logged() -> str:
    """Append the traceback of the current exception to the command's log, and say where it is."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    heading = f"{datetime.now(UTC).isoformat()} {shlex.join(sys.argv)}"
    for folder in (Path(state), Path(tempfile.gettempdir(), f"state-{os.getuid()}")):
        log = folder / "fedssl" / "fedssl.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{heading}\n{traceback.format_exc()}\n")
        except OSError:
            continue
        return f"the traceback is in {log}"
    return f"no log can be written in {state}"


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    # `_Group` reports every exception.
    pretty_exceptions_enable=False,
    help="Inspect cells, audit and repair results, collect archives. Only repair starts jobs.",
)
for _name in _SUBCOMMANDS:
    app.command(_name)(getattr(import_module(f"fedssl.command.{_name}"), _name))
