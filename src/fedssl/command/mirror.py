"""`fedssl mirror`: collect the archives that targets need, for a machine without a network."""

from pathlib import Path
from typing import Annotated

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line
from fedssl.errors import UserError


def mirror(
    targets_and_folder: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET... FOLDER",
            help="Targets of Snakemake (studies, tables or paths), and the folder for the "
            "archives, which is created if it is missing.",
            show_default=False,
        ),
    ],
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Collect the archives that targets need, verify them, and write their checksums.

    On the other machine, run: snakemake --config mirror=<folder>.
    """
    from fedssl.data.fetch.mirror import mirror as collect

    *targets, last = targets_and_folder
    if not targets:
        raise UserError(
            f"mirror was given {last} alone; name the targets and then the folder for the "
            f"archives, such as `fedssl mirror {last} /path/to/mirror`."
        )
    folder = Path(last)
    configfiles = [str(file) for file in configfile or []]
    paths = collect(targets, folder, configfiles=configfiles, settings=config or [])
    if json:
        print_json([str(path) for path in paths])
        return
    for path in paths:
        print_line(str(path))
        if path.suffix == ".txt":
            text = "lists your own files on this machine: copy them, too, and correct their paths"
            print_line(text, indent=2)
    print_line(
        f"{len(paths)} archives; copy {folder} to the other machine and run there: "
        "snakemake --config mirror=<folder>"
    )
