"""Write a finished run's Workflow Run RO-Crate."""

from fedssl.crate.crate import write_crate
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_crate(
        snakemake.params.spec,
        metadata=snakemake.output.metadata,
        preview=snakemake.output.preview,
        code=snakemake.output.code,
    )
