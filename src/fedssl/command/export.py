"""`fedssl export`: write the encoder of a cell to a file that other programs can load."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedssl.command.output import Config, Configfiles, Json, print_json, print_line
from fedssl.errors import UserError

if TYPE_CHECKING:
    from fedssl.exported.write import FinishedCell

_SUFFIX = ".safetensors"


def export(
    cell: Annotated[
        str, typer.Argument(help="Path of a cell, with or without <results>/pretrain/.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write, which must end in .safetensors."
        ),
    ] = None,
    configfile: Configfiles = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write a trained encoder and its model card, to be used outside the workflow.

    The file has the weights, the settings of its inputs and its provenance;
    `fedssl.load_encoder` loads it. Without --output, it is named like the
    cell, in the current folder. Without --configfile and --config, those of
    the run are used, if its report page or its folder tells them.
    """
    from fedssl.exported.write import export as write

    found = _finished(cell, list(map(str, configfile or [])), list(config or []))
    path = output or Path("-".join(found.cell.segments) + _SUFFIX)
    if path.suffix != _SUFFIX:
        raise UserError(f"--output is {path}; it must end in {_SUFFIX}.")
    text = write(found, path)
    if json:
        print_json({"encoder": str(path), "card": str(text)})
        return
    print_line(f"encoder  {path}")
    print_line(f"card     {text}")
    print_line(f"features of files: fedssl embed {path} <folder>")


def _finished(text: str, configfiles: list[str], settings: list[str]) -> "FinishedCell":
    from fedssl.command.project import open_project
    from fedssl.command.run_configuration import configuration_of, project_of
    from fedssl.command.selection import read_cell, read_metrics
    from fedssl.exported.write import FinishedCell
    from fedssl.grid.cell import Cell

    results = read_cell(text, open_project(configfiles, settings).tree.results)
    if not (configfiles or settings):
        configfiles, settings = configuration_of(results.root)
    # Its datasets and its scale are those of the run: a demo's are named like real ones.
    grid = project_of(results.root, configfiles, settings).grid
    cell = Cell.parse(results.cell)
    if cell not in grid.cells:
        raise UserError(f"{results.cell} is not a cell of this configuration.")
    scores = [metric for record in results.records.values() for metric in read_metrics(record)]
    return FinishedCell(cell, grid, results.records, scores)
