import shutil
from pathlib import Path

import pytest

from tests.unit.results import write_results


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results of one cell and of all tables: copy them, do not change them."""
    return write_results(tmp_path_factory.mktemp("pristine"))


@pytest.fixture
def results(pristine: Path, tmp_path: Path) -> Path:
    """A copy of them, moved to where nobody wrote it."""
    return shutil.copytree(pristine, tmp_path / "elsewhere")
