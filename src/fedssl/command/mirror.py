"""`fedssl mirror`: the archives that a target needs, to carry to a machine without a network."""

from pathlib import Path
from typing import Annotated

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line


def mirror(
    targets: Annotated[
        list[str], typer.Argument(help="As for Snakemake: a study, a table, a path.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where the archives go; made if missing.")],
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Collect exactly the archives that targets need, verified, with their checksums.

    There: snakemake --config mirror=<folder>. The only subcommand that writes anything.
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
            text = "names files of this machine: carry them too, and correct their paths in it"
            print_line(text, indent=2)
    print_line(f"{len(paths)} archives; with them: snakemake --config mirror=<where {folder} is>")
