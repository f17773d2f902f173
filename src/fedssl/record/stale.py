"""Rerun a job when the settings in its provenance record differ from the configuration.

Snakemake compares a job's parameters with its own notes, in `.snakemake` and by path. Results that
were copied, restored from a backup, or are named by another spelling of their folder have no notes,
or the notes of other jobs. The record travels with the results, so it decides here.

No documented rerun trigger can say this:

- Parameters and the set of inputs are only compared where there are notes. An input or a parameter
  that only a stale job has would be gone after the rerun, and so would start a second one.
- Without notes only an input newer than the outputs counts. But a job fails whose outputs are older
  than an input, so a date in the future is out, and a file touched at every start would fail the
  jobs that another Snakemake is just finishing.

So the record is forced, as `--forcerun` would; see `snakemake_api.force`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fedssl.grid.plan import Wildcards
from fedssl.grid.snakemake_api import force, logger
from fedssl.record.status import other_settings


class StaleResults:
    """Forces the jobs of a workflow whose records hold other settings."""

    def __init__(self, workflow: Any, results: str) -> None:
        """Keep the workflow, and what `<results>` stands for in the pattern of a record."""
        self._workflow = workflow
        self._results = results
        self._forced: set[str] = set()

    def rerun(
        self, settings: Callable[[Wildcards], Mapping[str, Any]], *, record: str
    ) -> Callable[[Wildcards], list[str]]:
        """Return an input function that adds no input, but reads the `record` that its rule writes.

        Snakemake calls it when it plans a job, before it decides which jobs run.
        """
        pattern = record.replace("<results>", self._results)

        def no_inputs(wildcards: Wildcards) -> list[str]:
            path = pattern.format(**dict(wildcards.items()))
            # Settings are merged anew on each call: not for the jobs that have not run yet.
            if path not in self._forced and Path(path).is_file():
                self._force(path, other_settings(path, settings(wildcards)))
            return []

        return no_inputs

    def _force(self, record: str, differs: list[str]) -> None:
        if differs:
            self._forced.add(record)
            force(self._workflow, record)
            text = f"settings in {record} differ, so its job runs again: {'; '.join(differs)}"
            logger.warning(text, extra={"record": record, "differs": differs})
