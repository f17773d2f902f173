"""Find the configuration that a results folder was made with."""

import shlex
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

import yaml

from fedssl.command.project import Project, open_project
from fedssl.errors import UserError
from fedssl.grid.paths import record_of
from fedssl.record.read import CHECKOUT, find_records, is_readable, read_record

_PAGE = "report/index.html"


def configuration_of(results: Path) -> tuple[list[str], list[str]]:
    """Return the `--configfile` and `--config` of the run that wrote to a results folder.

    The record of the report page has them. Before there is a page, a shipped file is returned that
    writes to the folder which the records name, if there is one.
    """
    path = Path(record_of(results / _PAGE))
    if is_readable(path) and path.is_file() and (page := read_record(path, results)).intact:
        words = shlex.split(str(page.settings.get("command", "")))
        return _values(words, "--configfile"), _values(words, "--config")
    records = (read_record(record, results) for record in find_records(results))
    prefix = next((record.prefix for record in records if record.intact), None)
    return shipped_configfile(prefix), []


def project_of(results: Path, configfiles: Sequence[str], settings: Sequence[str]) -> Project:
    """Return the project of a run.

    Raises:
        UserError: With this configuration, a run would write to another folder.
    """
    project = open_project(configfiles, settings)
    if Path(project.tree.results).resolve() != results.resolve():
        given = " ".join([*map(str, configfiles), *settings]) or "the shipped configuration"
        raise UserError(
            f"{results} was not written with {given}, which writes to {project.tree.results}: name "
            "the configuration of the run by --configfile and --config."
        )
    return project


def shipped_configfile(results: str | None) -> list[str]:
    """Return the shipped configuration file that writes to a results folder, if there is one."""
    for file in sorted((CHECKOUT / "config").glob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if file.name != "config.yaml" and content.get("results_dir") == results:
            return [f"config/{file.name}"]
    return []


def _values(words: Iterable[str], option: str) -> list[str]:
    """Return the words after an option, up to the next option."""
    rest = iter(words)
    for word in rest:
        if word == option:
            return list(takewhile(lambda value: not value.startswith("-"), rest))
    return []
