"""Collect the archives that a target needs, for a machine without network access."""

import csv
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fedssl.data.fetch.acquire import acquire, declared_archive
from fedssl.errors import UserError
from fedssl.files import sha256, write_text
from fedssl.grid.complaint import refusal
from fedssl.grid.configuration import SHIPPED, command_line, merged, read_layers
from fedssl.grid.paths import RECORD
from fedssl.grid.places import with_places

SUMS = "SHA256SUMS"
# A line of `sha256sum`. It writes "*" before the name if it read the file in binary mode.
_SUM = re.compile(r"(?P<checksum>[0-9a-f]{64}) [ *](?P<name>.+)")
_ROOT = Path(__file__).parents[4]
_CONFIG = _ROOT / "config"


def mirror(
    targets: Sequence[str],
    folder: Path,
    *,
    configfiles: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> list[Path]:
    """Collect the archives that `targets` need as `<folder>/<dataset>/<file>`; return the paths.

    Archives are copied from the data folder if they are there. Otherwise they are fetched as in a
    run: from the configured mirror or their official addresses. An interrupted call can be
    repeated. `<folder>/SHA256SUMS` lists every archive for `sha256sum --check`.

    Args:
        targets: as on Snakemake's command line: a table, a study or a path of the results tree.
        folder: created if missing. It may already hold the archives of other targets.
        configfiles: values of `--configfile`.
        settings: values of `--config`, as `key=value`.

    Raises:
        UserError: a target does not exist, or an archive is unavailable; others are collected.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder for the archives.")
    layers = read_layers([*map(_CONFIG.joinpath, SHIPPED), *configfiles], command_line(settings))
    known = _read_sums(folder / SUMS)
    needed = needed_archives(targets, configfiles=configfiles, settings=settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}); name another folder for the archives."
        ) from error
    config = with_places(merged(layers), layers)
    found, failures = {}, []
    for dataset, file in needed:
        path = folder / dataset / file
        # Go on after a failure, so that one call reports all archives that are unavailable.
        try:
            _collect(config, dataset, path)
        except UserError as error:
            failures.append(str(error))
        else:
            found[f"{dataset}/{file}"] = path
    _write_sums(folder, known, found)
    if failures:
        raise UserError("\n".join(failures))
    return list(found.values())


def needed_archives(
    targets: Sequence[str], *, configfiles: Sequence[str] = (), settings: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Return the (dataset, file) of all archives that the jobs of the targets acquire, sorted.

    A user's own folders and generated archives are not acquired, so they are not listed.

    Raises:
        UserError: Snakemake cannot plan the targets.
    """
    # Ask Snakemake, which alone knows what a target needs. `--summary` also lists finished jobs,
    # whereas a dry run would leave them out.
    program = str(Path(sys.executable).with_name("snakemake"))
    command = [program, "--snakefile", str(_ROOT / "Snakefile"), "--summary", *targets]
    command += ["--configfile", *configfiles] if configfiles else []
    command += ["--config", *settings] if settings else []
    planned = subprocess.run(command, capture_output=True, text=True, check=False)
    if planned.returncode:
        raise UserError(refusal(planned.stderr))
    rows = csv.DictReader(planned.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    # The rule has two outputs, the archive and its provenance record.
    paths = [Path(row["output_file"]) for row in rows if row["rule"] == "acquire"]
    archives = (path for path in paths if not path.name.endswith(RECORD))
    return sorted((path.parent.name, path.name) for path in archives)


def _collect(config: Mapping[str, Any], dataset: str, path: Path) -> None:
    data = Path(config["data_dir"]) / "archives"
    here = (data / dataset / path.name).is_file()
    acquire(
        **declared_archive(config, dataset, file=path.name),
        destination=path,
        mirror=str(data) if here else config["mirror"],
        pins=Path(config["pins"]),
    )


def _read_sums(path: Path) -> dict[str, str]:
    """Return name -> checksum of a file that `sha256sum` wrote; empty if there is no file."""
    known = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        if not (match := _SUM.fullmatch(line)):
            raise UserError(
                f"{path}, line {number} is {line!r}; it must be a SHA-256, two spaces and the "
                "path of a file: correct or remove the line."
            )
        known[match["name"].removeprefix("./")] = match["checksum"]
    return known


def _write_sums(folder: Path, known: Mapping[str, str], found: Mapping[str, Path]) -> None:
    """Write the checksums of the collected archives, and of earlier ones that still exist."""
    kept = {name: known[name] for name in known if (folder / name).is_file()}
    sums = kept | {name: sha256(archive) for name, archive in found.items()}
    write_text(folder / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))
