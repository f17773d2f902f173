"""Rerun a job when its provenance record is missing, or has other settings than the configuration.

Snakemake compares a job's parameters with metadata in `.snakemake`, which it finds by path. Results
that were copied, restored from a backup, or named by another spelling of their folder have no
metadata, or those of other jobs. The record is stored with the results, so it decides here.

No documented rerun trigger can express this:

- Snakemake compares parameters and the set of inputs only if there is metadata. An extra input or
  parameter of a stale job would disappear after the rerun, which would trigger a second rerun.
- Without metadata, only an input newer than the outputs triggers a rerun. An input with a date in
  the future does not work, because a job fails if its outputs are older than an input. A file
  touched at every start would fail the jobs that another Snakemake is finishing.

A job that is killed between its outputs and its record leaves outputs without a record. With
`keep-incomplete`, Snakemake notes a failed job as finished, and would not run it again if only the
outputs are asked for.

Therefore the record is forced, as `--forcerun` would do; see `snakemake_api.force`.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from fedssl.grid.plan import Wildcards
from fedssl.grid.snakemake_api import force, logger, outputs_with
from fedssl.record.status import other_settings


class StaleResults:
    """Forces the jobs of a workflow whose recorded settings differ from the configuration."""

    def __init__(self, workflow: Any, results: str) -> None:
        """Keep the workflow, and the folder that replaces `<results>` in patterns of records."""
        self._workflow = workflow
        self._results = results
        self._forced: set[str] = set()

    def rerun(
        self,
        settings: Callable[[Wildcards], Mapping[str, Any]] | None = None,
        *,
        record: str,
    ) -> Callable[[Wildcards], list[str]]:
        """Return an input function that adds no input, but forces its job if the record is stale.

        Args:
            settings: returns the settings of a job from its wildcards; None if it has none.
            record: pattern of the record that the rule writes.
        """
        # Snakemake calls input functions when it plans a job, before it decides which jobs run.
        pattern = record.replace("<results>", self._results)

        def no_inputs(wildcards: Wildcards) -> list[str]:
            path = pattern.format(**dict(wildcards.items()))
            if path in self._forced:
                return []
            # Merging settings takes time, so it is skipped for jobs that have not run yet.
            if not os.path.isfile(path):
                self._force_unrecorded(path, wildcards)
            elif settings:
                self._force_other(path, other_settings(path, settings(wildcards)))
            return []

        return no_inputs

    def _force_unrecorded(self, record: str, wildcards: Wildcards) -> None:
        """Force the job of a missing record if any of its outputs is there."""
        # Looking for the rule takes time, too.
        if not os.path.isdir(os.path.dirname(record)):
            return
        outputs = [
            output.apply_wildcards(wildcards) for output in outputs_with(self._workflow, record)
        ]
        if any(os.path.lexists(output) for output in outputs):
            text = f"{record} is missing, so its job runs again"
            self._force(record, text, ["its record is missing"])

    def _force_other(self, record: str, differs: list[str]) -> None:
        if differs:
            text = f"settings in {record} differ, so its job runs again: {'; '.join(differs)}"
            self._force(record, text, differs)

    def _force(self, record: str, text: str, differs: list[str]) -> None:
        self._forced.add(record)
        force(self._workflow, record)
        logger.warning(text, extra={"record": record, "differs": differs})
