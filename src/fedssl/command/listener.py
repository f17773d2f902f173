"""Run `snakemake --dry-run` and write the planned jobs as JSON; `dry_run` starts this script.

It does not import `fedssl`, because the workflow in the working directory may have its own copy.
"""

import json
import logging
import runpy
import sys
from pathlib import Path
from typing import Any

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent


class Listener(logging.Filter):
    """Collects the planned jobs from Snakemake's log events."""

    # A filter and not a handler, because Snakemake removes the handlers of its logger.

    def __init__(self) -> None:
        """Start without jobs."""
        super().__init__()
        self.jobs: list[dict[str, Any]] = []
        self._differs: dict[str, list[str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the job if the record describes one; let every record pass."""
        said = vars(record)
        if "differs" in said:  # logged by fedssl.record.stale
            self._differs[said["record"]] = said["differs"]
        if said.get("event") == LogEvent.JOB_INFO:
            job = {"rule": said["rule_name"], "wildcards": dict(said["wildcards"] or {})}
            outputs = [str(output) for output in said["output"]]
            differs = [text for name in outputs for text in self._differs.get(name, ())]
            job |= {"inputs": [str(file) for file in said["input"] or ()], "outputs": outputs}
            job |= {"reason": said["reason"], "differs": differs}
            self.jobs.append(job)
        return True


def main(answer: str, arguments: list[str]) -> None:
    """Run `snakemake --dry-run` with the arguments; write its jobs to `answer` on success."""
    listener = Listener()
    logger.addFilter(listener)
    # The workflow reads its targets from the command line.
    sys.argv = ["snakemake", "--dry-run", *arguments]
    # Run as a program and not through the Python API, so that profiles and options are read as on
    # the command line.
    try:
        runpy.run_module("snakemake", run_name="__main__")
    except SystemExit as end:
        if not end.code:
            Path(answer).write_text(json.dumps(listener.jobs), encoding="utf-8")
        raise


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
