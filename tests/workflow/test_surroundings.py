"""Runs where the home folder cannot be written to, or the temporary folder is full."""

import subprocess
from pathlib import Path

import pytest

from tests.workflow.project import Project

RUN = (
    "snakemake --cores 1 --configfile config/demo.yaml tests/workflow/small.yaml"
    " -- results/demo/shards/tiny-imagenet/dirichlet-0.5-4/seed0.json"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.copy(tmp_path / "project")


def test_without_a_home(project: Project) -> None:
    assert "[3/3] shards" in project.shell(f"unset XDG_CACHE_HOME\nHOME=/dev/null/home {RUN}")


def test_with_a_full_temporary_folder(project: Project, tmp_path: Path) -> None:
    inside = "unshare --mount bash -euo pipefail -c"
    if subprocess.run([*inside.split(), "mount -t tmpfs tmpfs /mnt"], check=False).returncode:
        pytest.skip("this user cannot mount a file system of its own")
    full = tmp_path / "full"
    full.mkdir()
    fill = f"mount -t tmpfs -o size=4k tmpfs {full}; head --bytes=4096 /dev/zero > {full}/file"
    assert "[3/3] shards" in project.shell(f"TMPDIR={full} TMP={full} {inside} '{fill}; {RUN}'")
