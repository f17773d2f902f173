"""Which refusals of Slurm are tried again, by the sentences that its commands print.

The tests of `tests/slurm` meet those that a small cluster can be made to give.
"""

import pytest

from fedssl.slurm.refusals import held, may_pass, never_starts, sentence

POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.mark.parametrize(
    "printed",
    [
        "Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "Batch job submission failed: Socket timed out on send/recv operation",
        "Batch job submission failed: Resource temporarily unavailable",
        "Slurm temporarily unable to accept job, sleeping and retrying",
        "Batch job submission failed: Zero Bytes were transmitted or received",
        f"AssocMaxSubmitJobLimit; Batch job submission failed: {POLICY}",
        f"QOSMaxSubmitJobPerUserLimit; Batch job submission failed: {POLICY}",
        "Command '['squeue']' timed out after 60 seconds",
    ],
)
def test_a_refusal_for_now_may_pass(printed: str) -> None:
    assert may_pass(printed, queued=False)


@pytest.mark.parametrize(
    "printed",
    [
        "invalid partition specified: x; Batch job submission failed: Invalid partition name",
        "Batch job submission failed: Invalid account or account/partition combination specified",
        "Batch job submission failed: Requested time limit is invalid (missing or exceeds limit)",
        "Batch job submission failed: Memory required by task is not available",
        "Batch job submission failed: Requested node configuration is not available",
        f"QOSMaxWallDurationPerJobLimit; Batch job submission failed: {POLICY}",
        "Unable to open file assigned",
    ],
)
def test_a_refusal_of_the_request_does_not(printed: str) -> None:
    assert not may_pass(printed, queued=True)


@pytest.mark.parametrize("queued", [True, False])
def test_a_policy_without_a_name_may_pass_while_jobs_are_queued(queued: bool) -> None:
    assert may_pass(f"Batch job submission failed: {POLICY}", queued=queued) is queued


def test_only_a_request_that_cannot_be_met_is_given_up() -> None:
    lasting = ("PartitionTimeLimit", "BadConstraints", "InvalidQOS", "QOSMaxMemoryPerJob")
    lasting += ("AssocMaxWallDurationPerJobLimit", "PartitionNodeLimit")
    passing = (
        "None",
        "Priority",
        "Resources",
        "PartitionDown",
        "QOSMaxCpuPerUserLimit",
        "BeginTime",
    )
    passing += ("AssocGrpCpuLimit", "ReqNodeNotAvail, UnavailableNodes:node1", "JobHeldUser")
    assert all(map(never_starts, lasting)) and not any(map(never_starts, passing))
    assert held("JobHeldAdmin") and held("launch failed requeued held") and not held("Priority")


def test_a_refusal_is_told_in_one_line() -> None:
    printed = "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job failed: y\n"
    assert sentence(printed) == "invalid partition specified: x; Batch job failed: y"
