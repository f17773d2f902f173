"""The entry point of the `fedssl` command, with one module per subcommand."""

import errno
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from fedssl.command.arguments import each_with_option
from fedssl.command.output import print_json
from fedssl.errors import UserError, describe

_SUBCOMMANDS = (
    "cells",
    "watch",
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
    """A group that reports a mistake in one line and exits with code 2, or 1 if it is ours."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without types in the help."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept several values after one --configfile or --config, as Snakemake does."""
        _open_streams()
        args = each_with_option(args)
        ctx.obj = {"json": "--json" in args}
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            if not args:  # it is the help
                raise
            _report(_usage(error), json=ctx.obj["json"])
            raise typer.Exit(2) from error

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; print the message of an exception without its traceback."""
        try:
            return super().invoke(ctx)
        except (UserError, TyperException) as error:
            said = str(error) if isinstance(error, UserError) else _usage(error)
            _report(said, json=ctx.obj["json"])
            raise typer.Exit(2) from error
        except (typer.Abort, typer.Exit):
            raise
        except Exception as error:
            # The reader of the output has ended, as in `fedssl cells | head`.
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            _report(f"{describe(error)}; {_logged()}.", json=ctx.obj["json"])
            raise typer.Exit(1) from error


def _open_streams() -> None:
    """Let a command that was started without output (`>&-`) print nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


class _Command(TyperCommand):
    """A subcommand whose help has no Python types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, without types in the help."""
        return _without_types(super().get_params(ctx))


def _without_types(params: Iterable[Any]) -> list[Any]:
    """Return the parameters; flags and arguments have no type in the help."""
    params = list(params)
    for param in params:
        # The names of arguments, and the presence of flags, say what is to be given.
        if param.param_type_name == "argument" or getattr(param, "is_flag", False):
            param.display_type_rich = _no_type
    return params


def _no_type(ctx: Any) -> None:
    """Return no text for the type of a parameter."""


def _usage(error: Any) -> str:
    """Return what is wrong with a command line, and where its form is described."""
    said = " ".join(error.format_message().split())
    said = said.replace("Input should be", "it must be").replace("Value error, ", "")
    command = error.ctx.command_path if error.ctx else "fedssl"
    return f"{said.rstrip('.')}{'' if said.endswith('?') else '.'} See `{command} -h`."


def _report(message: str, *, json: bool) -> None:
    """Print an error; with --json also as JSON on standard output, where programs read."""
    typer.echo(f"fedssl: {message}", err=True)
    if json:
        print_json({"error": message})


# Given back when an error is logged, because there may be no other memory.
_RESERVE = [bytearray(8 << 20)]


def _logged() -> str:
    """Append the traceback of the current exception to the command's log, and say where it is."""
    _RESERVE.clear()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    heading = f"{datetime.now(UTC).isoformat()} {shlex.join(sys.argv)}"
    for folder in (Path(state), Path(tempfile.gettempdir(), f"state-{os.getuid()}")):
        log = folder / "fedssl" / "fedssl.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{heading}\n{traceback.format_exc()}\n")
        except (OSError, MemoryError, SystemError):  # Python raises the last two without memory
            continue
        return f"the traceback is in {log}"
    return f"no log can be written in {state}"


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # `_Group` reports every exception.
    pretty_exceptions_enable=False,
    help="Inspect cells, audit and repair results, collect archives, export encoders. Only repair "
    "starts jobs.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fedssl {version('fedssl')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Accept the options of the command itself."""


for _name in _SUBCOMMANDS:
    app.command(_name, cls=_Command)(getattr(import_module(f"fedssl.command.{_name}"), _name))
