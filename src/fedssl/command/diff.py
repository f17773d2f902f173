"""`fedssl diff`: compare two cells or two results folders."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line, working

if TYPE_CHECKING:
    from fedssl.grid.settings_diff import Change
    from fedssl.record.read import Record

_Named = Mapping[str, "Record"]
_Found = Mapping[str, "list[tuple[Change, list[str]]]"]  # part -> its changes and their jobs
_DIGITS = 12  # digits of a hash in the output
# Where bits come from: not the host or the number of cores.
_HARDWARE = {"hardware.cpu", "hardware.gpu", "hardware.instructions"}


def diff(
    before: Annotated[str, typer.Argument(help="A cell or a results folder.")],
    after: Annotated[str, typer.Argument(help="The cell or results folder to compare it with.")],
    configfile: Configfiles = None,
    config: Config = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Also write the comparison as a page."),
    ] = None,
    json: Json = False,
) -> None:
    """Compare settings, code, data, environment and scores of two cells or results folders."""
    from fedssl.command.diff_page import write_diff_page
    from fedssl.command.project import open_project

    results = open_project(configfile or [], config or []).tree.results
    with working(f"comparing the records of {before} and {after}"):
        old, new = _records(before, results), _records(after, results)
        found = {name: _merged(old, new, part) for name, part in _PARTS.items()}
    only = {
        "only before": sorted(old.keys() - new.keys()),
        "only after": sorted(new.keys() - old.keys()),
    }
    other_bits = any(change.key in _HARDWARE for change, _ in found["environment"])
    if html:
        compared = len(old.keys() & new.keys())
        names = (before, after)
        write_diff_page(
            html, names=names, parts=found, only=only, compared=compared, hardware=other_bits
        )
    if json:
        data = {name: [{**c._asdict(), "jobs": j} for c, j in part] for name, part in found.items()}
        print_json(data | only)
        return
    _print_text(found, only, other_bits=other_bits)
    if html:
        print_line(f"This is also in {html}.")


def _print_text(found: _Found, only: Mapping[str, list[str]], *, other_bits: bool) -> None:
    for name, part in found.items():
        print_line(name if part else f"{name}: the same", style="bold")
        for change, jobs in part:
            print_line(f"{change}{f' ({len(jobs)} jobs)' if len(jobs) > 1 else ''}", indent=2)
    if other_bits:
        print_line("The hardware differs, so the same settings may give other bits.")
    for name, jobs in only.items():
        if jobs:
            print_line(f"{name}: {len(jobs)} jobs", style="bold")
            for job in jobs:
                print_line(job, indent=2)


def _records(text: str, results: str) -> _Named:
    """Return the records of a cell or a results folder, by names that do not contain the cell."""
    from fedssl.command.selection import read_cell, split_cell
    from fedssl.record.folder import results_folder
    from fedssl.record.read import read_records, whole

    # A path of a results folder can look like that of a cell, but only the folder has `pretrain`.
    if not os.path.isdir(Path(text, "pretrain")) and split_cell(text, results):
        return read_cell(text, results).records
    return {record.name: whole(record) for record in read_records(results_folder(text))}


def _merged(
    old: _Named, new: _Named, part: "Callable[[Record], Mapping[str, Any]]"
) -> "list[tuple[Change, list[str]]]":
    """Return each distinct change with the names of the jobs that have it."""
    from fedssl.grid.settings_diff import settings_diff

    found: dict[str, tuple[Change, list[str]]] = {}
    for name in sorted(old.keys() & new.keys()):
        for change in settings_diff(part(old[name]), part(new[name])):
            # Values of settings can be lists, which are not hashable.
            found.setdefault(repr(change), (change, []))[1].append(name)
    return list(found.values())


def _settings(record: "Record") -> Mapping[str, Any]:
    # The settings of tables and figures name the files that they read, which `data` compares.
    return {} if "scale" in record.settings else record.settings


def _code(record: "Record") -> Mapping[str, Any]:
    """Return the digest of the syntax tree of each source file; comments do not change it."""
    digests: Mapping[str, Any] = record.content.get("code", {})
    return digests


def _data(record: "Record") -> Mapping[str, Any]:
    """Return the hashes of a job's inputs, by names that do not contain the cell."""
    from fedssl.command.selection import without_cell
    from fedssl.record.read import shown

    inputs = record.files("inputs").items()
    return {without_cell(shown(path, record.root)): hash_[:_DIGITS] for path, hash_ in inputs}


def _environment(record: "Record") -> Mapping[str, Any]:
    return {key: record.content[key] for key in ("packages", "python", "hardware")}


def _metrics(record: "Record") -> Mapping[str, Any]:
    from fedssl.command.selection import read_metrics

    metrics = read_metrics(record)
    return {f"{m['task']} {m['protocol']}": f"{m['value']:.2f} of {m['n_eval']}" for m in metrics}


_PARTS = {
    "settings": _settings,
    "code": _code,
    "data": _data,
    "environment": _environment,
    "scores": _metrics,
}
