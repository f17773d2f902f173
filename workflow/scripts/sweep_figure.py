"""Draw tables as curves over modality splits."""

from fedssl.job import job
from fedssl.reporting.sweep import write_sweep_figure

with job(snakemake, **snakemake.params.spec):
    write_sweep_figure(
        snakemake.params.spec,
        tables=list(snakemake.input.tables),
        pdf=snakemake.output.pdf,
        png=snakemake.output.png,
        svg=snakemake.output.svg,
    )
