"""`fedssl mirror`: collect the archives that targets need, for a machine without a network."""

from pathlib import Path
from typing import Annotated

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line


def mirror(
    targets: Annotated[
        list[str], typer.Argument(help="Targets of Snakemake: studies, tables or paths.")
    ],
    folder: Annotated[
        Path, typer.Argument(help="Folder for the archives; created if it is missing.")
    ],
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Collect the archives that targets need, verify them, and write their checksums.

    On the other machine, run: snakemake --config mirror=<folder>.
    """
    from fedssl.data.fetch.mirror import mirror as collect

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
