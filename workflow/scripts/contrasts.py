"""Compare cells that differ in one thing, on the same samples."""

from fedssl.job import job
from fedssl.reporting.contrasts import write_contrasts

with job(snakemake, **snakemake.params.spec):
    write_contrasts(snakemake.params.spec, csv=snakemake.output.csv, md=snakemake.output.md)
