"""Compare pretrained encoders with the random ones they started from."""

from fedssl.job import job
from fedssl.reporting.gains import write_gains

with job(snakemake, **snakemake.params.spec):
    write_gains(snakemake.params.spec, csv=snakemake.output.csv, md=snakemake.output.md)
