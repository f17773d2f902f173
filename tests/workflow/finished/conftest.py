"""A small grid, run to its end once for all tests of this folder."""

from collections.abc import Iterator

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
