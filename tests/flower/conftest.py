"""Skip these tests without Flower, and lay out the federation that they share."""

import pytest

from tests.unit.federations import lay_out

pytest.importorskip("flwr", reason="flwr is not installed here: make test-flower")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))
