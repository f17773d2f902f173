"""The `fedssl` command, run in a folder with `grid.yaml`."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from fedssl.command.main import app

ROOT = Path(__file__).parents[2]


def fedssl(*arguments: str) -> Result:
    files = [f"{ROOT}/config/demo.yaml", "grid.yaml"]
    configured = arguments[0] not in ("audit", "embed", "--help")
    options = [word for file in files for word in ("--configfile", file)] if configured else []
    return CliRunner().invoke(app, [*arguments, *options])


def data(*arguments: str) -> Any:
    result = fedssl(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
