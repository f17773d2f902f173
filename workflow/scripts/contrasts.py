"""Compare cells that differ in one thing, on the same samples."""

from fedssl.paper.products.contrasts import write_contrasts
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_contrasts(snakemake.params.spec, csv=snakemake.output.csv, md=snakemake.output.md)
