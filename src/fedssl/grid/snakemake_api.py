"""Every use of Snakemake that its documentation does not promise, and why there is no other way.

`tests/unit/test_snakemake_api.py` names each, so that a Snakemake that lacks one fails there first.
Elsewhere the package relies on three further things, which that test names too: the events and
their fields that Snakemake logs (`record.failures`, `command.listener`; they are the interface of
logger plugins), the text of a job's reason (`command.reasons`), and the columns of `--summary`
(`data.fetch.mirror`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Documented for Snakefiles, where it needs no import; planning functions live outside of them.
from snakemake.io import ancient as ancient

# What is logged to another logger does not reach Snakemake's handlers and plugins.
from snakemake.logging import logger as logger


def force(workflow: Any, file: str) -> None:
    """Have the job that writes a file run, if the file is needed at all.

    `--forcerun` would make the file a target as well, and is read before the jobs are known.
    """
    workflow.dag.forcefiles.add(file)


def given_configuration(workflow: Any) -> tuple[list[Path], dict[str, Any]]:
    """Return the files of `--configfile`, and what `--config` sets.

    `config` holds all of it merged, but an error message must name the file that a value is from.
    """
    settings = workflow.config_settings
    return list(settings.configfiles), dict(settings.config)


def command_line_targets(arguments: Sequence[str]) -> list[str]:
    """Return the targets in a `snakemake` command line; none for the jobs it starts itself.

    Snakemake reads the Snakefile before it tells it any target, and only its own parser can tell
    a target from the value of an option.
    """
    # Not at the top: a module that only needs `ancient` should not wait for the command line.
    from snakemake.cli import get_argument_parser

    if Path(arguments[0]).name != "snakemake":
        return []
    parsed, _ = get_argument_parser().parse_known_args(arguments[1:])
    return sorted(parsed.targets)


def all_products(workflow: Any) -> list[Any]:
    """Return the outputs, logs and benchmarks of all rules: patterns with a method `match`.

    Snakemake refuses a path that no rule makes, too, but does not say what was probably meant.
    """
    return [product for rule in workflow.rules for product in rule.products()]
