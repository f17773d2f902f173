"""Write table 1: the datasets, published and counted."""

from fedssl.job import job
from fedssl.reporting.datasets import write_datasets

with job(snakemake, **snakemake.params.spec):
    write_datasets(
        snakemake.params.spec,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
    )
