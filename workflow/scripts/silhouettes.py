"""Write the silhouettes behind a figure of maps."""

from fedssl.job import job
from fedssl.reporting.silhouettes import write_silhouettes

with job(snakemake, **snakemake.params.spec):
    write_silhouettes(
        snakemake.params.spec,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        seeds=snakemake.output.seeds,
    )
