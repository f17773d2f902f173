"""What a command says while it works: only on a terminal, and only on standard error."""

import json
import os
import pty
import sys

import pytest
import typer
from typer.testing import CliRunner

from fedssl.command.main import app
from fedssl.command.output import print_json, working


def read_until(text: str, terminal: int) -> None:
    """Read what was written to a terminal up to a text; this waits for it."""
    found = ""
    while text not in found:
        found += os.read(terminal, 4096).decode(errors="replace")


def test_a_pipe_gets_only_the_result() -> None:
    command = typer.Typer()

    @command.command()
    def main() -> None:
        with working("reading 116 records"):
            print_json({"a": 1})

    result = CliRunner().invoke(command, [])
    assert result.stderr == "" and json.loads(result.stdout) == {"a": 1}


def test_a_terminal_shows_it_at_once_and_removes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with working("reading [116] records"):
            read_until("reading [116] records", ours)
        read_until("\x1b[1A\x1b[2K", ours)


def test_help_has_no_types_of_python() -> None:
    commands = ([str(command.name)] for command in app.registered_commands)
    for name in ([], *commands):
        printed = CliRunner().invoke(app, [*name, "--help"], env={"COLUMNS": "80"}).stdout
        assert "Usage: " in printed
        found = [word for word in ("<bool>", "<str>", "<path>", "<list", "<int") if word in printed]
        assert found == [], name
