"""Hold the papers' sentences against their own tables and against what was measured."""

from fedssl.paper.claims.claims import write_claims
from fedssl.record.job import recorded_job

with recorded_job(snakemake):
    write_claims(
        snakemake.input.claims,
        snakemake.input.published,
        tables=snakemake.input.tables,
        path=snakemake.output.csv,
    )
