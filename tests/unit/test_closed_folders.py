"""Folders that belong to another user: each command says so in one sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.commands import ROOT
from tests.unit.results import CELL

# As root, because another user may not read the libraries; and then as that user.
_TWICE = """
import os, sys
from typer.testing import CliRunner
from fedssl.command.main import app
CliRunner().invoke(app, sys.argv[1:])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
app(sys.argv[1:])
"""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


def run(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _TWICE, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "closed", ["", "pretrain", "evaluate", f"pretrain/{CELL}", f"evaluate/{CELL}"]
)
@pytest.mark.parametrize("command", ["show", "cells", "repair", "audit", "diff", "explain"])
def test_a_closed_folder_is_one_sentence(folder: Path, closed: str, command: str) -> None:
    for above in (folder, *folder.parents[:3]):  # pytest closes those that it makes
        above.chmod(above.stat().st_mode | 0o055)
    (folder / "results/demo" / closed).chmod(0o700)
    named = {"show": [CELL], "explain": [CELL], "diff": ["results/demo"] * 2}
    words = [command, *named.get(command, ["results/demo"] * (command == "audit"))]
    files = (ROOT / "config/demo.yaml", folder / "grid.yaml")
    options = [word for file in files for word in ("--configfile", str(file))]
    words += options * (command not in ("audit", "diff"))
    ran = run(*words, state=folder / "state")
    assert ran.returncode in (1, 2) and "raceback" not in ran.stderr, ran.stderr
    if command == "audit":  # lists what it cannot read among its findings
        assert re.search("cannot be read|is not readable", ran.stdout + ran.stderr)
    else:
        assert ran.stderr.startswith("fedssl: ") and ran.stderr.count("\n") == 1
