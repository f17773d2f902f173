"""Write one table: published beside measured."""

from fedssl.paper.products.table import write_table
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_table(
        snakemake.params.spec,
        published=snakemake.input.published,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        seeds=snakemake.output.seeds,
    )
