"""How `pytest -n` deals tests to processes: those that share a costly fixture stay together."""

from pathlib import Path

import pytest

# The longest first, so that no process is left with them in the end.
_FOLDERS = ("workflow", "slurm", "browser", "unit")


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _FOLDERS.index(_folder(item)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    if "finished" in getattr(item, "fixturenames", ()):
        return "finished"
    return _folder(item) if _folder(item) in ("slurm", "browser") else item.path.stem


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]
