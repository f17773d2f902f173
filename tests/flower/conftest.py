"""The federation that the tests of Flower share."""

import pytest

from tests.unit.federations import lay_out


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return lay_out(tmp_path_factory.mktemp("federation"))
