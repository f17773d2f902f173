"""Write one table: published beside measured."""

from fedssl.job import job
from fedssl.reporting.tables import write_table

with job(snakemake, **snakemake.params.spec):
    write_table(
        snakemake.params.spec,
        published=snakemake.input.published,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        seeds=snakemake.output.seeds,
    )
