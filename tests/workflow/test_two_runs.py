"""Two checkouts, as of two users, that run into one results folder at the same time."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from fedssl.lease import hold, lease_of
from tests.workflow.project import Project, wait_for
from tests.workflow.warm import WarmSnakemake

CONFIG = ("--configfile", "config/demo.yaml", "tests/workflow/small.yaml")
SHARDS = "shards/tiny-imagenet/dirichlet-0.5-4/seed0.json"


class Shared:
    """A results folder with two checkouts that write to it."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "shared"
        self.first, self.second = (Project.copy(folder / name) for name in ("first", "second"))
        places = (f"results_dir={self.results}", f"data_dir={self.results}")
        self.config = (*CONFIG, "--config", *places)
        self.target = str(self.results / SHARDS)

    def start(self, project: Project) -> WarmSnakemake:
        return project.snakemake("--cores", "1", self.target, config=self.config)

    def files(self) -> dict[str, int]:
        """Return each visible file with the time of its content."""
        return {
            str(path): path.stat().st_mtime_ns
            for path in self.results.rglob("[!.]*")
            if path.is_file() and "logs" not in path.parts
        }


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def bank_is_made(shared: Shared) -> bool:
    return (shared.results / "banks/tiny-imagenet/provenance.json").is_file()


def test_the_second_run_stops_before_it_touches_anything(shared: Shared) -> None:
    running = shared.start(shared.first)
    wait_for(lambda: bank_is_made(shared), running)
    own = json.loads((shared.results / ".lease").read_text())["pid"]
    os.killpg(own, signal.SIGSTOP)  # as slow as a real run, and as alive
    before = shared.files()
    refused = shared.second.run(
        "--cores", "1", "--forceall", shared.target, config=shared.config, ok=False
    )
    assert f"{shared.results} is being written by process {own} of " in refused
    assert "wait until that has ended" in refused and "Traceback" not in refused
    assert shared.files() == before, "not even a forced job deletes or writes a file"
    assert shared.second.planned(shared.target, config=shared.config), "a dry run is free"
    os.killpg(own, signal.SIGCONT)
    printed = running.wait(600)
    assert running.returncode == 0, printed
    assert not (shared.results / ".lease").exists()
    assert shared.second.planned(shared.target, config=shared.config) == {}


def test_the_second_run_goes_on_where_the_first_was_killed(shared: Shared) -> None:
    running = shared.start(shared.first)
    wait_for(lambda: bank_is_made(shared), running)
    running.kill()
    bank = (shared.results / "banks/tiny-imagenet/bank.json").stat().st_mtime_ns
    began = time.time()
    printed = shared.second.run("--cores", "1", shared.target, config=shared.config)
    assert "took over" in printed and Path(shared.target).stat().st_mtime > began
    assert (shared.results / "banks/tiny-imagenet/bank.json").stat().st_mtime_ns == bank
    assert not (shared.results / ".lease").exists()


def test_what_a_job_of_a_killed_run_still_makes_is_kept(shared: Shared) -> None:
    bank = shared.results / "banks/tiny-imagenet"
    lease = bank / ".provenance.json.lease"
    running = shared.start(shared.first)
    wait_for(lease.is_file, running)
    job = json.loads(lease.read_text())["pid"]
    log = shared.results / "logs/bank/tiny-imagenet.log"
    os.kill(job, signal.SIGSTOP)  # as slow as a real one
    try:
        os.kill(running.session, signal.SIGKILL)  # Snakemake, and not its job
        second = shared.start(shared.second)
        wait_for(lambda: log.is_file() and "waiting: " in log.read_text(), second)
    finally:
        os.kill(job, signal.SIGCONT)
    printed = second.wait(600)
    assert second.returncode == 0, printed
    assert "another job has made this meanwhile" in log.read_text()


def test_a_job_that_fails_removes_nothing_that_a_job_of_an_earlier_run_made(shared: Shared) -> None:
    bank = shared.results / "banks/tiny-imagenet"
    with hold(lease_of(bank / "provenance.json"), what="the bank"):  # this is the earlier run's job
        running = shared.start(shared.second)
        log = shared.results / "logs/bank/tiny-imagenet.log"
        said = f"waiting: {bank}/provenance.json is being written by process {os.getpid()} of "
        wait_for(lambda: log.is_file() and said in log.read_text(), running)
        (waiting,) = bank.glob(".provenance.json.lease.*.part")
        (bank / "bank.json").write_text("finished by the job of the earlier run")
        os.kill(json.loads(waiting.read_text())["pid"], signal.SIGKILL)  # as if memory ran out
        printed = running.wait(600)
        assert running.returncode == 1 and "1 failed" in printed, printed
        assert (bank / "bank.json").read_text() == "finished by the job of the earlier run"
