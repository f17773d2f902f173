"""Runs without a home folder, with a full temporary folder, and with nobody who reads on."""

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


def test_a_plan_of_which_only_the_head_is_read_ends_quietly(project: Project) -> None:
    plan = RUN.replace("snakemake", "snakemake --dry-run --forceall")
    said = project.shell(f"({plan} 2> errors || true) | head --lines=1; cat errors")
    assert said.startswith("Config file") and "Traceback" not in said
