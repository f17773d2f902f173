"""A cluster for the tests that need one; they skip, with the reason, where there can be none."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian import UnavailableError
from tests.slurm.cluster import SlurmCluster
from tests.slurm.packages import Packages, packages
from tests.slurm.snakemake_run import toy_project


@pytest.fixture(scope="session")
def slurm_packages() -> Packages:
    if os.geteuid() != 0:
        pytest.skip("only root can start Slurm's daemons")
    try:
        return packages()
    except UnavailableError as error:
        pytest.skip(f"Slurm's packages cannot be had here: {error}")


@pytest.fixture(scope="session")
def accounting_cluster(
    slurm_packages: Packages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SlurmCluster]:
    folder = tmp_path_factory.mktemp("slurm")
    with SlurmCluster(folder, slurm_packages, accounting=True) as cluster:
        yield cluster


@pytest.fixture
def small_cluster(slurm_packages: Packages, tmp_path: Path) -> Iterator[SlurmCluster]:
    """A cluster without accounting, as small ones are."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    with SlurmCluster(folder, slurm_packages, accounting=False) as cluster:
        yield cluster


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_project(tmp_path / "toy", "faults")


@pytest.fixture
def cluster(accounting_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster of all tests, which a test must leave without jobs."""
    yield accounting_cluster
    states = accounting_cluster.states()
    left = [number for number, state in states.items() if state in ("PENDING", "RUNNING")]
    if left:
        accounting_cluster.command("scancel", *left)
    assert left == []
