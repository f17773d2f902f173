"""All uses of undocumented parts of Snakemake, each with the reason why it is needed.

`tests/unit/test_snakemake_api.py` covers each of them, so that an incompatible Snakemake version
fails there first. It also covers three dependencies of other modules: the fields of logged events
(`record.failures`, `command.listener`), which are the interface of logger plugins; the text of a
job's reason (`command.reasons`); and the columns of `--summary` (`data.fetch.mirror`).
"""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import StreamHandler
from pathlib import Path
from typing import Any

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.io import WILDCARD_REGEX, strip_wildcard_constraints

# Documented only for Snakefiles, where it needs no import. Planning functions are in modules.
from snakemake.io import ancient as ancient
from snakemake.io import local as local

# Snakemake's handlers and plugins receive only what is logged to this logger.
from snakemake.logging import logger as logger

from fedssl.errors import UserError

# What Snakemake logs if all targets are up to date. It ends then and calls no `onsuccess`.
NOTHING_TO_DO = NOTHING_TO_BE_DONE_MSG
# Options of `snakemake`, as its parser calls them, that plan no jobs.
_ASKING = (
    *("lint", "list_rules", "list_target_rules", "print_compilation", "containerize"),
    *("report", "generate_unit_tests", "dag", "rulegraph", "filegraph", "d3dag", "unlock"),
    *("cleanup_metadata", "cleanup_shadow", "container_cleanup_images", "archive"),
    *("conda_cleanup_envs", "conda_create_envs_only", "list_conda_envs", "list_untracked"),
    *("list_changes", "list_input_changes", "list_params_changes", "summary", "detailed_summary"),
)


def force(workflow: Any, file: str) -> None:
    """Force the job that writes a file, if the file is needed at all."""
    # `--forcerun` would also make the file a target, and is read before the jobs are known.
    workflow.dag.forcefiles.add(file)


def given_configuration(workflow: Any) -> tuple[list[Path], dict[str, Any]]:
    """Return the files of `--configfile` and the settings of `--config`."""
    # `config` has all of them merged, but an error message must name the file of a value.
    settings = workflow.config_settings
    return list(settings.configfiles), dict(settings.config)


def is_module(workflow: Any) -> bool:
    """Return whether the Snakefile is read as a module of another workflow."""
    return not workflow.modifier.is_main_snakefile()


def rule_name(workflow: Any, name: str) -> str:
    """Return the name of a rule, which a module's importer may change: `use rule * as a_*`."""
    renamed: str = workflow.modifier.modify_rulename(name)
    return renamed


def command_line_targets(arguments: Sequence[str]) -> list[str]:
    """Return the targets of a `snakemake` command line; empty in jobs that Snakemake starts."""
    # Snakemake reads the Snakefile before it passes on the targets, and only its own parser can
    # tell a target from the value of an option.
    return sorted(_parsed(arguments).targets) if Path(arguments[0]).name == "snakemake" else []


def plans_jobs(workflow: Any, arguments: Sequence[str]) -> bool:
    """Return whether a command line plans jobs in this process, to start or only to show them.

    It does not in a job that Snakemake has started, and with options that only ask.
    """
    # Snakemake reads the Snakefile before it says whether it will run anything.
    names = ("snakemake", "__main__.py")  # the second for `python -m snakemake`
    if not workflow.is_main_process or Path(arguments[0]).name not in names:
        return False
    parsed = vars(_parsed(arguments))
    return not any(parsed.get(option) not in (None, False) for option in _ASKING)


def starts_run(workflow: Any, arguments: Sequence[str]) -> bool:
    """Return whether a command line starts jobs, or deletes results, in this process."""
    return plans_jobs(workflow, arguments) and not _parsed(arguments).dryrun


def _parsed(arguments: Sequence[str]) -> Any:
    # The import is slow, so it is not at the top.
    from snakemake.cli import get_argument_parser

    return get_argument_parser().parse_known_args(arguments[1:])[0]


def given_settings(arguments: Sequence[str]) -> list[str]:
    """Return the `key=value` of --config on a `snakemake` command line.

    Raises:
        UserError: An option is given twice; Snakemake would ignore the first without a word.
    """
    if Path(arguments[0]).name != "snakemake":
        return []
    words = list(arguments[1:])
    words = words[: words.index("--")] if "--" in words else words
    for names in (("--config", "-C"), ("--configfile", "--configfiles")):
        if len([word for word in words if word.partition("=")[0] in names]) > 1:
            raise UserError(
                f"{names[0]} is given twice, and Snakemake ignores the first; name all values "
                f"after one {names[0]}."
            )
    return list(_parsed(arguments).config or ())


def ensure_cache(folder: Path) -> None:
    """Let Snakemake keep its cache in `folder` if this user cannot write to the usual place.

    A home is missing or read-only on the nodes of some clusters.
    """
    from snakemake.common import get_appdirs

    # Snakemake creates this folder on every start, and writes to it.
    usual = Path(get_appdirs().user_cache_dir, "snakemake/source-cache/snakemake-runtime-cache")
    try:
        usual.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=usual):
            return
    except OSError:
        os.environ["XDG_CACHE_HOME"] = str(folder.resolve())


def all_products(workflow: Any) -> list[Any]:
    """Return the outputs, logs and benchmarks of all rules: patterns with a method `match`."""
    # Snakemake itself rejects a path that no rule makes, but does not suggest a similar one.
    return [product for rule in workflow.rules for product in rule.products()]


def product_paths(workflow: Any) -> tuple[list[str], list[str]]:
    """Return the products that are files, and those that are folders, as regular expressions.

    A slash in an expression separates names; products with one in a wildcard are left out.
    """
    files: list[str] = []
    folders: list[str] = []
    for product in all_products(workflow):
        fixed, path = 0, ""
        for wildcard in WILDCARD_REGEX.finditer(product):
            path += re.escape(product[fixed : wildcard.start()])
            path += f"(?:{wildcard['constraint'] or '.+'})"
            fixed = wildcard.end()
        path += re.escape(product[fixed:])
        if path.count("/") == strip_wildcard_constraints(product).count("/"):
            (folders if product.is_directory else files).append(path)
    return files, folders


def outputs_with(workflow: Any, file: str) -> list[Any]:
    """Return the outputs of the rule that writes a file: patterns with `apply_wildcards`."""
    rules = (rule for rule in workflow.rules if any(out.match(file) for out in rule.output))
    return list(next(rules).output)


def storage_folder(workflow: Any) -> str | None:
    """Return the folder of the local copies of files in a storage; None without a storage."""
    if workflow.storage_settings.default_storage_provider is None:
        return None
    copied = workflow.modifier.path_modifier.apply_default_storage("file")
    return str(copied.flags["storage_object"].local_path().parent)


def runs_here(workflow: Any) -> bool:
    """Return whether the jobs run on this machine, started by this process."""
    # While the Snakefile is read, the executor is not known yet. Only the others are given a number
    # of nodes; and a job that a cluster has started is another process than the main one.
    return bool(workflow.is_main_process and workflow.global_resources["_nodes"].value is None)


def offer(workflow: Any, **amounts: int) -> None:
    """Set how much there is of resources, except those that `--resources` sets."""
    # Not in a profile: there, `--resources` on the command line would replace all of them.
    for name, amount in amounts.items():
        if name not in workflow.global_resources:
            workflow.register_resource(name, amount)


def offered(workflow: Any, name: str) -> int:
    """Return how much there is of a resource."""
    amount: int = workflow.global_resources[name].value
    return amount


def num_cores(workflow: Any) -> int | None:
    """Return the value of `--cores`; None if it is not set."""
    cores: int | None = workflow.global_resources["_cores"].value
    return cores


def set_amount(workflow: Any, rule: str, name: str) -> int | None:
    """Return the number that `--set-resources` sets for a resource of a rule, else None."""
    # A function for a resource is told the job's threads and no other resource. An expression, such
    # as "2 * attempt", has no value before its job is known.
    given = workflow.resource_settings.overwrite_resources
    found = given.get(rule_name(workflow, rule), {}).get(name)
    amount = getattr(found, "raw", found)
    return amount if isinstance(amount, int) else None


def use_executor(name: str, executor: type) -> None:
    """Let `--executor <name>` start this executor instead of the plugin's own."""
    # A plugin of another name would have other options, and `--slurm-...` would do nothing.
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    registry = ExecutorPluginRegistry()
    if registry.is_installed(name):
        registry.get_plugin(name).executor = executor


@dataclass(frozen=True)
class RunJob:
    """A job that a run has to do; `number` is the `jobid` of logged events."""

    number: int
    rule: str
    wildcards: dict[str, str]
    outputs: tuple[str, ...]
    log: str

    @property
    def name(self) -> str:
        """The first output, which no other job writes."""
        return self.outputs[0]


def jobs_to_run(workflow: Any) -> list[RunJob]:
    """Return the jobs of a run that has started, whether they have finished or not."""
    # A logged event tells of a job when it starts, but the time left depends on all others.
    return list(map(_run_job, workflow.dag.needrun_jobs(exclude_finished=False)))


def jobs_of_targets(workflow: Any) -> list[RunJob]:
    """Return the jobs behind the targets of a run, also those that are up to date."""
    return list(map(_run_job, workflow.dag.jobs))


def _run_job(job: Any) -> RunJob:
    return RunJob(
        job.jobid,
        job.rule.name,
        dict(job.wildcards_dict),
        tuple(map(str, job.output)),
        next(map(str, job.log), ""),
    )


def format_with(workflow: Any, formatter_of: Callable[..., Any]) -> None:
    """Let what Snakemake prints pass the method `filter` of a formatter, and be formatted by it.

    `formatter_of` is given Snakemake's own formatter and, by name, whether the output is a
    `terminal`. Nothing changes with options that ask for
    more or less output than usual, or for the output of a plugin.
    """
    # A logger plugin would have to be installed under a name of its own, and be chosen by each run.
    settings = workflow.output_settings
    if settings.verbose or settings.debug_dag or settings.printshellcmds or settings.quiet:
        return
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" and isinstance(handler, StreamHandler):
            formatter = formatter_of(handler.formatter, terminal=handler.stream.isatty())
            handler.addFilter(formatter)
            handler.setFormatter(formatter)
