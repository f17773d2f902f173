"""Compare pretrained encoders with the random ones they started from."""

from fedssl.paper.products.gains import write_gains
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_gains(snakemake.params.spec, csv=snakemake.output.csv, md=snakemake.output.md)
