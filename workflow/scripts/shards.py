"""Divide a bank's training split among the clients."""

from pathlib import Path

from fedssl.data.banks.bank import open_bank
from fedssl.data.sharding import write_shards
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings, seed=int(snakemake.wildcards.seed)):
    write_shards(
        open_bank(Path(snakemake.input.bank).parent),
        snakemake.output.shards,
        sharding=snakemake.params.settings,
        seed=int(snakemake.wildcards.seed),
    )
