"""The frame of every script: a log, one clear error, and provenance when it succeeds."""

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedssl.errors import UserError
from fedssl.provenance import code_facts, write_provenance
from fedssl.sources import module_path

_log = logging.getLogger("fedssl")


@contextlib.contextmanager
def job(snakemake: Any, **settings: Any) -> Iterator[dict[str, Any]]:
    """Run a script's one call; yields the facts that go into the job's provenance.

    `snakemake.log[0]` receives the log and, if the call fails, the error: one sentence for a
    user's mistake, a traceback for ours. Writes `snakemake.output.provenance` on success. What is
    said there of the code was read before the call: hours later the checkout may be another.
    Two facts are no entries of their own: `further_inputs`, files that a job finds by itself, and
    `earlier_seconds`, the time of attempts that it took up.
    """
    started = datetime.now(UTC)
    _log_to(Path(snakemake.log[0]))
    facts: dict[str, Any] = {}
    try:
        code = code_facts([_source(name, snakemake.scriptdir) for name in snakemake.params.sources])
        yield facts
        write_provenance(
            snakemake.output.provenance,
            rule=snakemake.rule,
            wildcards=dict(snakemake.wildcards.items()),
            settings=settings,
            inputs=[*snakemake.input, *facts.pop("further_inputs", ())],
            outputs=[name for name in snakemake.output if name != snakemake.output.provenance],
            code=code,
            started=started,
            earlier_seconds=facts.pop("earlier_seconds", 0.0),
            facts=facts,
        )
    except UserError as error:
        _log.error("%s", error)
        sys.exit(f"fedssl: {error}")
    except Exception:
        _log.exception("rule %s failed", snakemake.rule)
        raise


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default")


def _source(name: str, scripts: str) -> Path:
    """Return the file behind a key of `sources`: the rule's script or a package module."""
    return Path(scripts) / name if name.endswith(".py") else module_path(name)
