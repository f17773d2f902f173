"""Write the silhouettes behind a figure of maps."""

from fedssl.paper.products.silhouettes import write_silhouettes
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_silhouettes(
        snakemake.params.spec,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        seeds=snakemake.output.seeds,
    )
