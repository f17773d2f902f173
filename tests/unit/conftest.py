"""Results, servers and numbers that tests of several files share."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedssl.command import expected_verdicts
from tests.unit.made_up_tables import NUMBERS
from tests.unit.results import GRID, write_results
from tests.unit.servers import Server


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results of one cell and of all tables: copy them, do not change them."""
    return write_results(tmp_path_factory.mktemp("pristine"))


@pytest.fixture
def results(pristine: Path, tmp_path: Path) -> Path:
    """A copy of them, moved to where nobody wrote it."""
    return shutil.copytree(pristine, tmp_path / "elsewhere")


@pytest.fixture
def folder(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with finished results in results/demo, and the grid behind them."""
    shutil.copytree(pristine, tmp_path / "results/demo")
    (tmp_path / "grid.yaml").write_text(GRID)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Published numbers of the table of `made_up_tables`."""
    path = tmp_path / "published.csv"
    path.write_text(NUMBERS, encoding="utf-8")
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of archives, on loopback."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def few_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predict verdicts from a few simulated runs."""
    monkeypatch.setattr(expected_verdicts, "TABLE_RUNS", 2)
    monkeypatch.setattr(expected_verdicts, "CLAIM_RUNS", 3)
