"""`fedssl watch`: show how far a run is, until it ends."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fedssl.command.cell_status import cell_records, counted
from fedssl.command.output import Config, Configfiles, print_line
from fedssl.grid.cell import AXES

_EVERY_S = 10.0


def watch(configfile: Configfiles = None, config: Config = None) -> None:
    """Show the cells that are training and the time left, until the run ends.

    This reads the results folder, and Slurm's queue where there is one, so it
    works in any terminal that sees the folder. The output is a table on a
    terminal, and elsewhere a line whenever something has changed.
    """
    from rich.live import Live

    from fedssl.command.project import open_project
    from fedssl.record.leftovers import owner

    project = open_project(configfile or [], config or [])
    results = project.tree.results
    last, terminal = "", sys.stdout.isatty()
    with Live(auto_refresh=False, transient=True) as live:
        while run := owner(Path(results, ".lease")):
            every = list(cell_records(project))
            lines = [counted(project, every), *_queue()]
            if terminal:
                live.update(_table(f"{run} writes to {results}", every, lines), refresh=True)
            elif (told := "; ".join(lines)) != last:
                last = told
                print_line(told)
            time.sleep(_EVERY_S)
    print_line(counted(project, list(cell_records(project))))
    print_line(f"no run is writing to {results}")


def _table(title: str, every: Iterable[dict[str, Any]], lines: Iterable[str]) -> Any:
    """Return the cells that train now, below a title and above some lines."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(*AXES, "seed", "progress", box=None, pad_edge=False)
    for record in every:
        if record["status"] == "running":
            axes = [str(record[axis]) for axis in (*AXES, "seed")]
            # Without the age of the log, which is small if the cell trains.
            table.add_row(*axes, record["progress"].partition(",")[0])
    return Group(Text(title), *([table] if table.row_count else []), *map(Text, lines))


def _queue() -> Iterable[str]:
    """Yield the number of Slurm jobs of this folder by state, where there is a Slurm."""
    from fedssl.slurm.queue import Queue, SlurmError

    if shutil.which("squeue") is None:
        return
    try:
        jobs = Queue().jobs().values()
    except SlurmError as error:
        yield f"Slurm does not answer: {error}"
        return
    states = Counter(job.state.lower() for job in jobs if job.folder == str(Path.cwd()))
    yield f"Slurm: {', '.join(f'{count} {state}' for state, count in states.items()) or 'no job'}"
