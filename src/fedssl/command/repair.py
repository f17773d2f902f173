"""`fedssl repair`: find damaged files and leftovers of a results folder, and make it whole."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line, working
from fedssl.errors import UserError

if TYPE_CHECKING:
    from fedssl.command.remake import Remake
    from fedssl.record.damage import Damage
    from fedssl.record.leftovers import Leftover

_SHOWN = 20  # entries of a list in the text; --json lists all


@dataclass(frozen=True)
class Repair:
    """What a results folder needs.

    Attributes:
        root: the results folder.
        damages: damaged files.
        leftovers: files and folders that may be removed.
        running: the processes of runs and jobs that write to the folder.
        remake: how to make the damaged files again; None if that is not known.
        command: the words of the Snakemake command; empty if no job has to run.
        unknown: why it is not known how to make them again.
    """

    root: Path
    damages: "Sequence[Damage]"
    leftovers: "Sequence[Leftover]"
    running: Sequence[str]
    remake: "Remake | None" = None
    command: Sequence[str] = ()
    unknown: str = ""

    @property
    def in_the_way(self) -> list[Path]:
        """What jobs can neither use nor replace: damaged records, and broken links."""
        return [damage.path for damage in self.damages if damage.unusable]

    @property
    def refused_links(self) -> list[Path]:
        """Broken links in place of files, if one of them is the reason why nothing is planned."""
        links = [path for path in self.in_the_way if path.is_symlink()]
        return links if any(path.name in self.unknown for path in links) else []

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.damages or self.leftovers)


def repair(
    results: Annotated[
        Path | None, typer.Argument(help="A results folder; default: that of the configuration.")
    ] = None,
    configfile: Configfiles = None,
    config: Config = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare sizes only, and hash no file.")
    ] = False,
    run: Annotated[
        bool, typer.Option("--run", help="Remove leftovers, and run the command that is printed.")
    ] = False,
    json: Json = False,
) -> None:
    """List damaged files and leftovers, and the command that makes the files again.

    A file is damaged if it is missing or differs from the record of its job.
    The command also makes again what depends on the file. Without
    --configfile and --config, those of the run are used, if its report page
    or its folder tells them. The exit code is 0 if there is nothing to do,
    and 1 otherwise.
    """
    given = list(map(str, configfile or [])), list(config or [])
    found = _find(results, *given, quick=quick)
    if run and found.needed:
        _check_nobody_writes(found)
        if found.refused_links:
            for link in found.refused_links:
                link.unlink(missing_ok=True)
            found = _find(results, *given, quick=quick)
        _make_whole(found)
        found = _find(results, *given, quick=quick)
    if json:
        print_json(_as_data(found))
    else:
        _print(found)
    raise typer.Exit(1 if found.needed else 0)


def _find(
    results: Path | None, configfiles: Sequence[str], settings: Sequence[str], *, quick: bool
) -> Repair:
    from fedssl.command.project import open_project
    from fedssl.command.run_configuration import configuration_of
    from fedssl.record.damage import find_damage
    from fedssl.record.folder import results_folder
    from fedssl.record.leftovers import find_leftovers, progress, running
    from fedssl.record.read import find_records, read_records

    root = results_folder(results or open_project(configfiles, settings).tree.results)
    if not (configfiles or settings):
        configfiles, settings = configuration_of(root)
    if not (find_records(root) or progress(root)):
        read_records(root)  # says that there are none
    with working(f"comparing the files in {root} with their records"):
        damages = find_damage(root, hashes=not quick)
    found = Repair(root, damages, find_leftovers(root), running(root))
    if not (found.damages or progress(root)):
        return found
    try:
        return _with_command(found, configfiles, settings)
    except UserError as error:  # what is damaged is worth knowing anyway
        return replace(found, unknown=str(error))


def _with_command(found: Repair, configfiles: Sequence[str], settings: Sequence[str]) -> Repair:
    """Return what a results folder needs, with stale progress and the command.

    Raises:
        UserError: The configuration is not that of the run, or Snakemake cannot plan with it.
    """
    from fedssl.command.dry_run import planned_jobs
    from fedssl.command.remake import remake
    from fedssl.command.run_configuration import project_of
    from fedssl.command.stale_progress import finished_states
    from fedssl.paper.page.plan import executor_options
    from fedssl.record.leftovers import find_stale_progress

    project = project_of(found.root, configfiles, settings)
    plan, targets = project.plan, ["all", "audit", "crate"]
    targets += ["rehearsal"] if Path(project.tree.rehearsal()).exists() else []
    # Only Snakemake knows every declared job. It takes seconds, so it is asked only if needed.
    with working("asking Snakemake which jobs make the files again"):
        jobs = planned_jobs(targets, configfiles, settings=settings, finished=True)
    stale = find_stale_progress(found.root, finished_states(plan, jobs))
    made = remake(found.damages, jobs, root=found.root, results=project.tree.results)
    command = made.command(executor_options(plan), configfiles, settings) if made.forced else ()
    return replace(found, leftovers=[*found.leftovers, *stale], remake=made, command=command)


def _check_nobody_writes(found: Repair) -> None:
    """Raise UserError if a job is running in the results folder."""
    if found.running:
        raise UserError(
            f"{found.root} is being written by {found.running[0]}; wait until that has ended, or "
            "stop it, then repair."
        )


def _make_whole(found: Repair) -> None:
    """Remove what has to go, and run the command.

    Raises:
        UserError: The command is not known.
    """
    from fedssl.record.leftovers import remove

    if found.unknown:
        raise UserError(found.unknown)
    for leftover in found.leftovers:
        remove(leftover)
    for path in found.in_the_way:
        if not path.is_dir():
            path.unlink(missing_ok=True)
    if found.command:
        subprocess.run([sys.executable, "-m", *found.command], check=False)


def _print(found: Repair) -> None:
    from fedssl.record.damage import UNLISTED

    if not found.needed:
        print_line(f"nothing to repair in {found.root}")
        return
    # Of a job without a record, every file is damaged: these come last.
    damages = sorted(found.damages, key=lambda damage: damage.what == UNLISTED)
    _print_list("damaged", [(damage.path, damage.what) for damage in damages], found)
    _print_list("left behind", [(left.path, left.what) for left in found.leftovers], found)
    if found.unknown:
        print_line(f"How to make them again is not known: {found.unknown}")
        if found.refused_links:
            print_line("remove the broken links with", style="bold")
            _print_removal(found.refused_links)
            print_line("and ask again; `fedssl repair --run` does both", indent=2)
        return
    lost = found.remake.lost if found.remake else ()
    _print_list(
        "no job makes these; put them back or remove them", [(d.path, "") for d in lost], found
    )
    for process in found.running:
        print_line(f"{process} writes to this folder: files of its jobs may be listed")
    if found.remake and found.command:
        counts = ", ".join(f"{count} {rule}" for rule, count in found.remake.jobs.items())
        print_line("make the damaged files, and what depends on them, again with", style="bold")
        _print_removal(found.in_the_way)
        typer.echo(f"  {shlex.join(found.command)}")
        print_line(f"which runs {counts}", indent=2)
    if found.leftovers or found.command:
        print_line("`fedssl repair --run` does all of this, and removes what was left behind")


def _print_removal(paths: Sequence[Path]) -> None:
    """Print the command that removes files, if there are any."""
    if paths:
        typer.echo(f"  {shlex.join(['rm', '-f', '--', *map(str, paths)])}")


def _print_list(heading: str, entries: Sequence[tuple[Path, str]], found: Repair) -> None:
    from fedssl.record.read import shown

    if not entries:
        return
    print_line(f"{heading}:", style="bold")
    for path, what in entries[:_SHOWN]:
        print_line(f"{shown(path, found.root)} {what}".rstrip(), indent=2)
    if len(entries) > _SHOWN:
        print_line(f"and {len(entries) - _SHOWN} more; --json lists all", indent=2)
    print_line()


def _as_data(found: Repair) -> dict[str, Any]:
    from fedssl.record.read import shown

    lost = found.remake.lost if found.remake else ()
    return {
        "damaged": [{"file": shown(d.path, found.root), "what": d.what} for d in found.damages],
        "leftovers": [{"file": shown(e.path, found.root), "what": e.what} for e in found.leftovers],
        "lost": [shown(damage.path, found.root) for damage in lost],
        "running": list(found.running),
        "remove": list(map(str, found.in_the_way)),
        "command": list(found.command),
        "jobs": dict(found.remake.jobs) if found.remake else {},
        "unknown": found.unknown,
    }
