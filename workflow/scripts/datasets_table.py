"""Write table 1: the datasets, published and counted."""

from fedssl.paper.products.datasets import write_datasets
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_datasets(
        snakemake.params.spec,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
    )
