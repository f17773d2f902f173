"""A copy of the project in which the workflow runs for real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small grid of `grid.yaml`, run to its end: read it, do not change it."""
    project = Project.copy(tmp_path_factory.mktemp("finished"))
    project.run("--cores", "2")
    return project


@pytest.fixture
def edited(finished: Project) -> Iterator[Project]:
    """The finished project, to be edited; what is written through it is put back."""
    yield finished
    finished.restore()


@pytest.fixture
def unfinished(tmp_path: Path) -> Project:
    """A fresh copy in which nothing has run."""
    return Project.copy(tmp_path)
