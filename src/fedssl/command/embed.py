"""`fedssl embed`: compute the features of a folder of images or sounds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fedssl.command.output import Json, print_json, print_line
from fedssl.errors import UserError

if TYPE_CHECKING:
    from fedssl.exported.embed import Embedded

_SHOWN = 8  # unreadable files in the text; --json lists all


def embed(
    encoder: Annotated[Path, typer.Argument(help="A file that `fedssl export` wrote.")],
    folder: Annotated[Path, typer.Argument(help="A folder with images or sounds, at any depth.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="File to write: .parquet or .npz."),
    ] = Path("features.parquet"),
    modality: Annotated[
        Literal["image", "audio"] | None,
        typer.Option(help="What to embed, where the folder has both."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Width and height in pixels to which images are cut first, as `size` of an own "
            "dataset, from 8 to 4096; default: that of the pretraining set, or 128.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write the features of all images or sounds in a folder.

    They are those of the workflow's evaluation. A Parquet file has the columns
    `file`, `f0`, `f1` and so on; an NPZ file has the arrays `files` and
    `features`. Files that cannot be decoded are listed and left out.
    """
    from fedssl.exported.embed import FORMATS, write_features
    from fedssl.exported.embed import embed as compute

    if output.suffix not in FORMATS:
        raise UserError(f"--output is {output}; it must end in {' or '.join(FORMATS)}.")
    if size is not None and not 8 <= size <= 4096:
        raise UserError(f"--size is {size}; it must be from 8 to 4096.")
    found = compute(encoder, folder, modality=modality, size=size)
    write_features(found, output)
    if json:
        files, width = found.features.shape
        facts = {"output": str(output), "files": files, "num_features": width, **found.facts}
        print_json(facts | {"unreadable": found.unreadable, "passed_over": found.others})
    else:
        _print(found, output)


def _print(found: "Embedded", output: Path) -> None:
    files, width = found.features.shape
    print_line(f"{files} files, {width} features each: {output}")
    if found.others:
        print_line(f"{found.others} files of other kinds were passed over")
    if found.unreadable:
        print_line(f"{len(found.unreadable)} files cannot be decoded and are left out:")
    for name, reason in list(found.unreadable.items())[:_SHOWN]:
        print_line(f"{name}: {reason}", indent=2)
    if len(found.unreadable) > _SHOWN:
        print_line(f"and {len(found.unreadable) - _SHOWN} more; --json lists all", indent=2)
