"""How `pytest -n` deals tests to processes, and what is reported after them.

Tests that share a costly fixture stay in one process.
"""

from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# The longest first, so that no process is left with them in the end. Slurm's come before all
# others: they wait most of the time, and the other process meanwhile has the cores.
_FOLDERS = ("slurm", "finished", "flower", "workflow", "browser", "gpu", "unit")
# Tests of one of these folders share a cluster, a finished run or a browser.
_SHARING = ("slurm", "finished", "browser")
PORTABLE = "bits of portable runs"  # a property of a test whose text is reported, not asserted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _FOLDERS.index(_place(item.nodeid)[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFixture(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # A property of the test's report, because with `-n` the test runs in another process.
    for test in terminalreporter.getreports("passed"):
        for name, text in test.user_properties:
            if name == PORTABLE:
                terminalreporter.section(PORTABLE)
                terminalreporter.line(text)


class _ByFixture(LoadScopeScheduling):
    """Tests of a file run in one process, and so do those of a folder that share a fixture."""

    def _split_scope(self, nodeid: str) -> str:
        folder, file = _place(nodeid)
        return folder if folder in _SHARING else f"{folder}/{file}"


def _place(nodeid: str) -> tuple[str, str]:
    """Return a test's folder below `tests`, and its file."""
    path = PurePosixPath(nodeid.partition("::")[0])
    return path.parent.name, path.name
