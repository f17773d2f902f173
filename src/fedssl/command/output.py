"""Print the results of subcommands, as text of at most 80 columns or as JSON."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Configfiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile",
        metavar="FILE...",
        help="Configuration files of the run; later files override earlier ones.",
    ),
]
Config = Annotated[
    list[str] | None,
    typer.Option("--config", metavar="KEY=VALUE...", help="Settings of the run."),
]
_WIDTH = 80


def print_json(data: Any) -> None:
    """Print plain data as indented JSON."""
    typer.echo(json.dumps(data, indent=1))


# Rich is imported inside the functions, because it would slow down --help and --json.


def print_line(text: str = "", *, style: str = "", indent: int = 0) -> None:
    """Print a paragraph, wrapped between words and indented by `indent` spaces."""
    from rich.padding import Padding
    from rich.text import Text

    line = Text(text, style=style)
    _console().print(Padding(line, (0, 0, 0, indent), expand=False) if indent else line)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header, if it has text; wide cells are folded."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), pad_edge=False, collapse_padding=True)
    table.show_header, table.header_style = any(header), "bold"
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    _console().print(table)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal's standard error what a command is doing, as long as it does it."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    # No spinner: it needs a thread, and to start one can hang where memory is short.
    console = Console(stderr=True)
    with Live(Text(f"{what} ..."), console=console, auto_refresh=False, transient=True):
        yield


def _console() -> Any:
    from rich.console import Console

    # Paths can contain brackets, which rich would read as markup.
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _text(cell: object) -> Any:
    from rich.text import Text

    return Text("" if cell is None else str(cell))
