"""Records hold the settings of their jobs: what is of other settings than declared runs again."""

from collections.abc import Callable, Mapping
from typing import Any

from snakemake.logging import logger

from fedssl.record.outcome import other_settings

Wildcards = Any


class Memory:
    """Has a job run again whose record says other settings than the configuration.

    Snakemake's own notes on parameters lie in `.snakemake` and go by path. Results that were
    copied, put back, or named by another spelling of their folder have none, or those of others.
    """

    def __init__(self, workflow: Any, results: str) -> None:
        """Keep the workflow, whose DAG is built later, and the folder of results."""
        self._workflow = workflow
        self._results = results

    def inputs(
        self,
        inputs: Callable[[Wildcards], Any],
        settings: Callable[[Wildcards], Mapping[str, Any]],
        *,
        record: str,
    ) -> Callable[[Wildcards], Any]:
        """Return a rule's input function, which also reads the `record` that the rule writes."""
        pattern = record.replace("<results>", self._results)

        def checked(wildcards: Wildcards) -> Any:
            if self._workflow.is_main_process:  # others run what it has planned
                self._check(pattern.format(**dict(wildcards.items())), settings(wildcards))
            return inputs(wildcards)

        return checked

    def _check(self, record: str, settings: Mapping[str, Any]) -> None:
        forced = self._workflow.dag.forcefiles
        if record not in forced and (found := other_settings(record, settings)):
            said = f"{record} is of other settings, so its job runs again: {'; '.join(found)}"
            logger.warning(said, extra={"record": record, "differs": found})
            forced.add(record)
