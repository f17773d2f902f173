"""What a user asks for on the command line on a real cluster."""

from pathlib import Path

from tests.slurm.cluster import SlurmCluster
from tests.slurm.snakemake_run import running


def test_requests_on_the_command_line_reach_slurm_and_leave_the_others(
    cluster: SlurmCluster, toy: Path
) -> None:
    cluster.command("sacctmgr", "-i", "add", "qos", "night")
    cluster.command("sacctmgr", "-i", "modify", "user", "root", "set", "qos+=night")
    when = ("starttime=now", "duration=60", "nodes=node2", "users=root", "flags=ignore_jobs")
    cluster.command("scontrol", "create", "reservation", "reservation=course", *when)
    asked = ("slurm_partition=both", "constraint=quick", "runtime=20", "gpu=1", "gpu_model=a100")
    resources = [f"work:{one}" for one in asked]
    options = ("--slurm-qos", "night", "--slurm-reservation", "course")
    options += ("--set-threads", "work=2", "--set-resources", *resources)
    try:
        with running(cluster, toy, "a.done", options=options) as snakemake:
            snakemake.wait_for(lambda: snakemake.jobs("a"), "the job")
            (number,) = snakemake.jobs("a")
            (job,) = [job for job in cluster.scontrol() if job["JobId"] == number]
            snakemake.allow("a")
            snakemake.ends()
    finally:
        cluster.command("scontrol", "delete", "reservation=course")
    assert (job["QOS"], job["Reservation"], job["Features"]) == ("night", "course", "quick")
    assert (job["Partition"], job["NodeList"]) == ("both", "node2")
    assert (job["NumCPUs"], job["TimeLimit"]) == ("2", "00:20:00")
    assert job["TresPerJob"] == "gres:gpu:a100:1"
    assert job["MinMemoryNode"] == "1000M"
