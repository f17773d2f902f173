"""Tests that compute on a GPU. Where torch finds none, each is skipped and says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fedssl.device import prepare_device
from tests.unit.federations import lay_out


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def gpu() -> Iterator[torch.device]:
    """The GPU as a job in fp32 prepares it; torch is left as it was."""
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    threads = torch.get_num_threads()
    yield prepare_device(threads)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of a small federation on images and sound."""
    return lay_out(tmp_path_factory.mktemp("federation"))
