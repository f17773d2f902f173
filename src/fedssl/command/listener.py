"""A process of its own that runs `snakemake --dry-run` and writes its jobs as JSON.

Imports nothing of this package: the workflow in the working directory brings its own.
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
    """Keeps what Snakemake says of each job; a filter, because Snakemake removes handlers."""

    def __init__(self) -> None:
        """Start with no job."""
        super().__init__()
        self.jobs: list[dict[str, Any]] = []
        self._differs: dict[str, list[str]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record if it tells of a job; let every record pass."""
        said = vars(record)
        if "differs" in said:  # by fedssl.record.stale
            self._differs[said["record"]] = said["differs"]
        if said.get("event") == LogEvent.JOB_INFO:
            job = {"rule": said["rule_name"], "wildcards": dict(said["wildcards"] or {})}
            outputs = [str(output) for output in said["output"]]
            differs = [text for name in outputs for text in self._differs.get(name, ())]
            job |= {"outputs": outputs, "reason": said["reason"], "differs": differs}
            self.jobs.append(job)
        return True


def main(answer: str, arguments: list[str]) -> None:
    """Run `snakemake --dry-run` with some arguments; write its jobs to `answer` if it succeeds."""
    listener = Listener()
    logger.addFilter(listener)
    # The workflow reads its targets from the command line.
    sys.argv = ["snakemake", "--dry-run", *arguments]
    try:
        runpy.run_module("snakemake", run_name="__main__")
    except SystemExit as end:
        if not end.code:
            Path(answer).write_text(json.dumps(listener.jobs), encoding="utf-8")
        raise


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
