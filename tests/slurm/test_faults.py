"""What goes wrong on a cluster, done to runs of the shipped profile on a real one."""

import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.slurm.cluster import ClusterError, SlurmCluster
from tests.slurm.snakemake_run import run, running
from tests.workflow.project import ROOT

QUIETLY = ("--output=/dev/null", "--wrap=sleep 5")


def test_a_cancelled_job_is_reported_and_run_again(cluster: SlurmCluster, toy: Path) -> None:
    with running(cluster, toy, "a.done", "b.done") as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a") and snakemake.jobs("b"), "both jobs")
        (first,) = snakemake.jobs("a")
        cluster.command("scancel", first)
        snakemake.says(f"Slurm job {first} was cancelled")
        snakemake.wait_for(lambda: len(snakemake.jobs("a")) == 2, "the second attempt")
        snakemake.allow("a", "b")
        snakemake.ends()
    assert len((toy / "a.done").read_text().split()) == 2
    assert len((toy / "b.done").read_text().split()) == 1


def test_no_job_is_lost_or_counted_as_failed_while_slurm_is_away(
    cluster: SlurmCluster, toy: Path
) -> None:
    with running(cluster, toy, "a.after", "b.done", options=("--retries", "0")) as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a") and snakemake.jobs("b"), "both jobs")
        with cluster.without("slurmdbd"), cluster.without("slurmctld"):
            snakemake.says("Slurm does not answer")
            snakemake.allow("a", "b")
        snakemake.says("Finished jobid")
        snakemake.ends()
    # The first attempt of each, and the second rule on "a" after the first.
    assert len(snakemake.jobs("a")) == 2 and len(snakemake.jobs("b")) == 1


def test_a_job_is_submitted_when_slurm_is_back(cluster: SlurmCluster, toy: Path) -> None:
    with ExitStack() as away:
        away.enter_context(cluster.without("slurmctld"))
        with running(cluster, toy, "a.done", options=("--retries", "0")) as snakemake:
            snakemake.says("waits to be submitted")
            away.close()
            snakemake.allow("a")
            snakemake.ends()
    assert len(snakemake.jobs("a")) == 1


def test_jobs_of_a_killed_run_are_kept_and_never_doubled(cluster: SlurmCluster, toy: Path) -> None:
    names = ("a", "b", "c")
    targets = [f"{name}.done" for name in names]
    with running(cluster, toy, *targets) as snakemake:
        snakemake.wait_for(lambda: all(map(snakemake.jobs, names)), "three jobs")
        snakemake.kill(signal.SIGKILL)
        snakemake.process.wait()
    snakemake.allow("b")  # it ends while no Snakemake runs
    deadline = time.monotonic() + 60
    while cluster.states()[snakemake.jobs("b")[0]] != "COMPLETED" and time.monotonic() < deadline:
        time.sleep(0.2)
    run(cluster, toy, "snakemake --unlock")
    # What "c" does is not what it would do now.
    with running(cluster, toy, *targets, options=("--config", "changed=c")) as snakemake:
        snakemake.says(f"{snakemake.jobs('c')[0]} of an earlier run is ending")
        snakemake.says(f"Slurm job {snakemake.jobs('a')[0]} already")
        snakemake.allow(*names)
        snakemake.ends()
    assert [len(snakemake.jobs(name)) for name in names] == [1, 1, 2]


@pytest.mark.parametrize("partition", ["cheap", "requeued"])
def test_a_preempted_job_is_submitted_again(
    cluster: SlurmCluster, toy: Path, partition: str
) -> None:
    options = ("--retries", "0")
    with running(cluster, toy, "a.done", options=options, SBATCH_PARTITION=partition) as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
        other = cluster.command("sbatch", "--parsable", "--cpus-per-task=16", *QUIETLY)
        snakemake.says("was preempted by another job")
        snakemake.wait_for(lambda: len(snakemake.jobs("a")) == 2, "the job after the other one")
        assert cluster.states()[other.strip()] == "COMPLETED"
        snakemake.allow("a")
        snakemake.ends()


@pytest.mark.slow  # Slurm starts a requeued job after two minutes
def test_slurm_itself_requeues_a_preempted_job_if_the_profile_lets_it(
    cluster: SlurmCluster, toy: Path
) -> None:
    profile = (ROOT / "slurm/config.yaml").read_text()
    (toy / "slurm").unlink()
    (toy / "slurm").mkdir()
    edited = profile.replace("\nslurm-no-requeue: true\n", "\nslurm-requeue: true\n")
    assert edited != profile
    (toy / "slurm/config.yaml").write_text(edited)
    with running(
        cluster, toy, "a.done", options=("--retries", "0"), SBATCH_PARTITION="requeued"
    ) as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
        other = cluster.command("sbatch", "--parsable", "--cpus-per-task=16", *QUIETLY)
        snakemake.wait_for(lambda: len(snakemake.jobs("a")) == 2, "the job after the other one")
        assert cluster.states()[other.strip()] == "COMPLETED"
        snakemake.allow("a")
        printed = snakemake.ends()
    first, second = snakemake.jobs("a")
    assert first == second and "submitted again" not in printed


def test_slurm_requeues_no_job(cluster: SlurmCluster, toy: Path) -> None:
    with running(cluster, toy, "a.done", options=("--retries", "0")) as snakemake:
        snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
        with pytest.raises(ClusterError, match="Requested operation is presently disabled"):
            cluster.command("scontrol", "requeue", *snakemake.jobs("a"))
        snakemake.allow("a")
        snakemake.ends()
    assert len(snakemake.jobs("a")) == 1


def test_what_can_never_run_fails_once_and_the_others_are_made(
    cluster: SlurmCluster, toy: Path
) -> None:
    refused = ("large", "lost", "mistaken", "stranger", "huge")
    targets = ("a.done", *(f"a.{rule}" for rule in refused))
    with running(cluster, toy, *targets, SBATCH_PARTITION="short") as snakemake:
        snakemake.allow("a")
        printed = snakemake.ends(ok=False)
    assert "could never have started (Slurm's reason: PartitionTimeLimit)" in printed
    assert "it asked for 120 minutes, 1000 MB and 1 cores" in printed
    assert "Slurm refuses the job: invalid partition specified: nowhere" in printed
    assert "The given account nobody appears to be invalid. Available accounts: " in printed
    assert "Slurm refuses the job: Memory specification can not be satisfied" in printed
    for rule in refused:
        assert printed.count(f"Error in rule {rule}") == 1
    assert "--wrap" not in printed and "Trying to restart" not in printed
    assert (toy / "a.done").is_file()


def test_a_failed_member_of_a_group_is_run_again_alone(cluster: SlurmCluster, toy: Path) -> None:
    targets = [f"{name}.score" for name in ("a", "b", "c")]
    options = ("--groups", "evaluate=scores", "--group-components", "scores=3", "--retries", "1")
    (toy / "b.fail").touch()
    with running(cluster, toy, *targets, options=options) as snakemake:
        snakemake.allow("a", "c")
        snakemake.wait_for(lambda: len(snakemake.jobs("b")) == 2, "the second attempt")
        snakemake.allow("b")
        printed = snakemake.ends()
    assert len(snakemake.jobs("a")) == len(snakemake.jobs("c")) == 1
    assert printed.count("Error in rule evaluate") == 1


def test_a_job_over_its_memory_is_reported_and_asks_for_more(
    cluster: SlurmCluster, toy: Path
) -> None:
    with running(cluster, toy, "a.hungry") as snakemake:
        snakemake.says("was killed because it needed more than the 1000 MB that it asked for")
        snakemake.ends()
    asked = {job["JobIDRaw"]: job["ReqMem"] for job in cluster.sacct("JobIDRaw", "ReqMem")}
    assert [asked[number] for number in snakemake.jobs("a")] == ["1000M", "2000M"]
    assert (toy / "a.hungry").read_text().split() == [str(1100 * 2**20)]


def test_sigterm_waits_for_running_jobs_only(cluster: SlurmCluster, toy: Path) -> None:
    targets, whole_node = ("a.done", "b.done"), ("--set-threads", "work=16")
    with running(cluster, toy, *targets, options=whole_node) as snakemake:
        snakemake.wait_for(lambda: snakemake.printed.count(" is Slurm job ") == 2, "both jobs")
        snakemake.wait_for(lambda: snakemake.jobs("a") or snakemake.jobs("b"), "the first job")
        snakemake.kill(signal.SIGTERM)
        snakemake.says("is left to the next run")
        snakemake.allow("a", "b")
        printed = snakemake.ends(ok=False)
    assert "Error in rule" not in printed and "The same command goes on" in printed
    assert len(list(toy.glob("*.done"))) == 1
    with running(cluster, toy, "a.done", "b.done") as snakemake:
        snakemake.ends()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_no_job(cluster: SlurmCluster, toy: Path, times: int) -> None:
    with running(
        cluster, toy, "a.done", "b.done", options=("--set-threads", "work=16")
    ) as snakemake:
        snakemake.wait_for(lambda: snakemake.printed.count(" is Slurm job ") == 2, "both jobs")
        for _ in range(times):
            snakemake.kill(signal.SIGINT)
            time.sleep(0.5)
        snakemake.ends(ok=False)
    numbers = re.findall(r" is Slurm job (\d+)", snakemake.printed)
    assert {cluster.states()[number] for number in numbers} == {"CANCELLED"}


def test_a_limit_on_submitted_jobs_is_waited_for(cluster: SlurmCluster, toy: Path) -> None:
    limit = ("sacctmgr", "-i", "modify", "user", "root", "set")
    cluster.command(*limit, "maxsubmitjobs=1")
    try:
        with running(cluster, toy, "a.done", "b.done", options=("--retries", "0")) as snakemake:
            snakemake.says("waits to be submitted")
            snakemake.allow("a", "b")
            snakemake.ends()
    finally:
        cluster.command(*limit, "maxsubmitjobs=-1")


@pytest.mark.slow
def test_a_job_over_its_time_limit_asks_for_the_same_again(
    cluster: SlurmCluster, toy: Path
) -> None:
    with running(cluster, toy, "a.brief") as snakemake:
        snakemake.says("reached its time limit of 1 minutes")
        snakemake.allow("a")
        snakemake.ends()
    assert len(snakemake.jobs("a")) == 2
