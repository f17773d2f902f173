"""Hold the papers' sentences against their own tables and against what was measured."""

from fedssl.job import job
from fedssl.reporting.claims import write_claims

with job(snakemake):
    write_claims(
        snakemake.input.claims,
        snakemake.input.published,
        tables=snakemake.input.tables,
        path=snakemake.output.csv,
    )
