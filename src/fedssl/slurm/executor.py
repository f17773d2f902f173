"""The executor of `--executor slurm`: submits jobs, and notices how they end."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import snakemake_executor_plugin_slurm as plugin
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string
from snakemake_executor_plugin_slurm.validation import (
    validate_or_get_slurm_job_id,
    validate_slurm_extra,
)
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from fedssl.progress import is_final
from fedssl.record.attempts import ensure_kills
from fedssl.slurm.ends import LOST, end_of, true_state
from fedssl.slurm.identity import comment_of, earlier, job_name
from fedssl.slurm.parts import members, unfinished
from fedssl.slurm.queue import ENDED, GONE, Queue, SlurmError, answer
from fedssl.slurm.refusals import may_pass, sentence
from fedssl.slurm.watch import Watch

_UNUSED = ("array_jobs", "efficiency_report")
_LONGEST_PAUSE = 120  # seconds between two tries to submit a job
_LONGEST_POLL = 60  # seconds between two questions while nothing ends
_ENDING_POLL = 3  # seconds between two questions while the run ends
_RESUBMISSIONS = 20  # of a job that loses its node or is preempted, in each attempt


class Executor(plugin.Executor):  # type: ignore[misc]
    """The plugin's executor with submission, polling and cancelling of its own."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        """Start the thread that polls, which uses all of this at once."""
        self._queue = Queue()
        self._watch = Watch(self._queue, logger.warning)
        self._live: dict[str, SubmittedJobInfo] = {}
        self._stop = threading.Event()
        self._lost: Counter[Any] = Counter()
        self._out_of_memory: Counter[Any] = Counter()
        settings = workflow.executor_settings
        self._first_poll = settings.init_seconds_before_status_checks
        for option in _UNUSED:
            if getattr(settings, option):
                raise WorkflowError(f"--slurm-{option.replace('_', '-')} is not supported here.")
        super().__init__(workflow, logger)
        self.next_seconds_between_status_checks = self._first_poll

    def additional_general_args(self) -> str:
        """Return no arguments: the job's Snakemake runs in the batch step, without an srun."""
        return ""

    def run_job(self, job: Any) -> None:
        """Submit a job, in a thread of its own, so that no exception may leave it."""
        try:
            self._submit(job)
        except SlurmError as error:
            self._fail(SubmittedJobInfo(job), f"Slurm refuses the job: {error}", final=True)
        except Exception as error:
            said = " ".join(str(error).split())
            self._fail(SubmittedJobInfo(job), f"the job cannot be submitted: {said}", final=True)

    def _submit(self, job: Any) -> None:
        pause = 5
        while not self._ends():
            try:
                number = self._adopted(job) or self._submitted(job)
            except SlurmError as error:
                said = sentence(str(error))
                if not may_pass(said, queued=bool(self._live)):
                    raise SlurmError(said) from error
                self.logger.warning(f"{job.name} waits to be submitted, for {pause} s more: {said}")
                self._pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                aux = {"slurm_logfile": self._log(job, number)}
                info = SubmittedJobInfo(job, external_jobid=number, aux=aux)
                self._live[number] = info
                self.report_job_submission(info)
                return
        self._leave(job)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._ends():
            self._stop.wait(1)

    def _adopted(self, job: Any) -> str | None:
        """Return the Slurm job that an earlier run left for the same work, if it can be kept.

        Others that write the same files are cancelled first.
        """
        queue = self._queue.jobs(max_age=2)
        same, others = earlier(job, queue, self.workflow.workdir_init, known=self._live)
        if others:
            answer(["scancel", *others])
            raise SlurmError(f"Slurm job {', '.join(others)} of an earlier run is ending")
        if same:
            self.logger.warning(f"{job.name} is Slurm job {same} already, of an earlier run.")
        return same

    def _submitted(self, job: Any) -> str:
        """Return the number of a new Slurm job."""
        if any(job.resources.get(name) for name in ("slurm_cluster", "cluster", "clusters")):
            raise WorkflowError("jobs go to one cluster: the resource `slurm_cluster` is not used")
        validate_slurm_extra(job)
        self._log(job).parent.mkdir(parents=True, exist_ok=True)
        params = {
            "run_uuid": job_name(job, self.workflow.executor_settings.jobname_prefix),
            "comment_str": comment_of(job),
            "slurm_logfile": self._log(job),
            "account": next(self.get_account_arg(job)),
            "partition": self.get_partition_arg(job),
            "workdir": self.workflow.workdir_init,
        }
        settings = self.workflow.executor_settings
        call = get_submit_command(job, params, settings=settings, failed_nodes=self._failed_nodes)
        # With --keep-going, a member of a group that fails does not keep the others from running.
        script = f"#!/bin/sh\n{self.format_job_exec(job)} --keep-going\n"
        printed = answer(["sh", "-c", call + set_gres_string(job)], script)
        number: str = validate_or_get_slurm_job_id(printed.strip().split(";")[0], printed)
        # The terminal names the jobs in place of this line; see `fedssl.terminal.job_lines`.
        said = {"slurm_job": number, "jobs": [member.jobid for member in members(job)]}
        line = f"Job {job.jobid} is Slurm job {number} (log: {self._log(job, number)})."
        self.logger.info(line, extra=said)
        return number

    def _log(self, job: Any, number: str = "%j") -> Path:
        return Path(self.slurm_logdir) / job_name(job) / f"{number}.log"

    def get_account_arg(self, job: Any) -> Iterator[str]:
        """Yield the option for the account, or none: Slurm has a default, so none is guessed."""
        return super().get_account_arg(job) if job.resources.get("slurm_account") else iter([""])

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Yield the jobs that have not ended; report the others."""
        if not active_jobs:
            self.next_seconds_between_status_checks = self._first_poll
            return
        polled = self.next_seconds_between_status_checks
        self.next_seconds_between_status_checks = min(1.5 * polled, _LONGEST_POLL)
        numbers = [info.external_jobid for info in active_jobs]
        states = self._watch.ended(numbers, none_may_start=self._ends())
        for info in active_jobs:
            if (state := states.get(info.external_jobid)) is None:
                yield info
            else:
                self.next_seconds_between_status_checks = self._first_poll
                await self._settle(info, state)

    async def _settle(self, info: SubmittedJobInfo, state: str) -> None:
        """Report a job that has ended; one that lost its node is submitted again."""
        self._live.pop(info.external_jobid, None)
        rest = None if state == "COMPLETED" else await unfinished(info.job)
        if rest is None:
            self._succeed(info)
        elif self._ends():
            self._leave(rest)
        elif state in LOST and self._lost[rest] < _RESUBMISSIONS:
            self._lost[rest] += 1
            self.logger.warning(f"{end_of(info, state)}; {rest.name} is submitted again.")
            self._job_submission_executor.submit(self.run_job, rest)
        else:
            state = true_state(state, (info.aux or {}).get("slurm_logfile"))
            logs = [next(iter(member.log), "") for member in members(rest)]
            final = state not in ENDED | {GONE} or (state == "FAILED" and all(map(is_final, logs)))
            left = SubmittedJobInfo(rest, info.external_jobid, info.aux)
            if state == "OUT_OF_MEMORY":
                self._count_kill(rest)
            self._fail(left, end_of(info, state), final=final, explained=state != "FAILED")

    def _count_kill(self, job: Any) -> None:
        """Let the next attempt ask for more memory, also if this one was killed on its start."""
        for member in members(job):
            self._out_of_memory[member] += 1
            if state := member.params.get("state"):
                ensure_kills(state, self._out_of_memory[member])

    def _succeed(self, info: SubmittedJobInfo) -> None:
        self.report_job_success(info)
        if not self.workflow.executor_settings.keep_successful_logs:
            with suppress(OSError):
                info.aux["slurm_logfile"].unlink(missing_ok=True)

    def _fail(
        self, info: SubmittedJobInfo, message: str, *, final: bool, explained: bool = True
    ) -> None:
        """Report a failed attempt, which is the last one if `final`.

        The message is the cause if it has been `explained`; else the job's log says more.
        """
        log = (info.aux or {}).get("slurm_logfile")
        logs = [str(log)] if log and log.exists() else []
        for member in members(info.job):
            # Not as a group: Snakemake leaves the message of a group out.
            facts = {"slurm_log": next(iter(logs), None), "explained": explained}
            member.log_error(message, aux_logs=logs, **facts)
        if final:
            info.job.attempt = max(info.job.attempt, info.job.restart_times + 1)
        self.workflow.scheduler.error_callback(info.job)

    def _ends(self) -> bool:
        """Return whether the run was asked to end (SIGTERM, Ctrl-C), so that no job may start."""
        scheduler = self.workflow.scheduler
        return self._stop.is_set() or (scheduler is not None and scheduler._user_kill is not None)

    def _leave(self, job: Any) -> None:
        """Let go of a job that was not run because the run ends; it has not failed."""
        self.logger.info(f"{job.name} is left to the next run.")
        self.workflow.scheduler.error_callback(job)

    async def sleep(self) -> None:
        """Wait for the next poll, less long if the run is asked to end."""
        start = time.monotonic()
        while self.wait and time.monotonic() - start < (
            _ENDING_POLL if self._ends() else self.next_seconds_between_status_checks
        ):
            await asyncio.sleep(0.5)

    def cancel(self) -> None:
        """Cancel all jobs, also one that is being submitted or asked about."""
        self._stop.set()
        self._job_submission_executor.shutdown(wait=True, cancel_futures=True)
        self.cancel_jobs(list(self._live.values()))
        self.shutdown()

    def shutdown(self) -> None:
        """Let the threads end."""
        asked = self._ends()
        self._stop.set()
        super().shutdown()
        if asked:
            self.logger.info("The run was asked to end. The same command goes on with it.")
