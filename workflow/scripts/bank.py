"""Read a dataset's archives into memory-mapped arrays, or go on where a killed run stopped."""

from pathlib import Path

from fedssl.data.build import build_bank
from fedssl.data.own.listing import own_files
from fedssl.job import job
from fedssl.progress import Pace

with job(snakemake, **snakemake.params.contents) as facts:
    pace = Pace(snakemake.params.contents["splits"])
    build_bank(
        snakemake.wildcards.dataset,
        {key: Path(path) for key, path in snakemake.input.items()},
        Path(snakemake.output.bank).parent,
        entry=snakemake.params.contents,
        state=Path(snakemake.params.state),
        threads=snakemake.threads,
        pace=pace,
    )
    facts["pace"] = pace.facts()
    if own := snakemake.params.contents.get("own"):
        facts["further_inputs"] = own_files(own, Path(snakemake.input[0]))
