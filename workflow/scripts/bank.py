"""Read a dataset's archives into memory-mapped arrays."""

from pathlib import Path

from fedssl.data.build import build_bank
from fedssl.job import job

with job(snakemake, **snakemake.params.contents):
    build_bank(
        snakemake.wildcards.dataset,
        {key: Path(path) for key, path in snakemake.input.items()},
        Path(snakemake.output.bank).parent,
        entry=snakemake.params.contents,
    )
