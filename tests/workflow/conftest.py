"""Copies of the project in which the workflow runs for real."""

from pathlib import Path

import pytest

from tests.workflow.project import Project


@pytest.fixture
def unfinished(tmp_path: Path) -> Project:
    """A fresh copy in which nothing has run."""
    return Project.copy(tmp_path)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy for dry runs only: nothing runs in it."""
    return Project.copy(tmp_path_factory.mktemp("copy"))
