"""Draw tables as curves over modality splits."""

from fedssl.paper.products.sweep import write_sweep_figure
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_sweep_figure(
        snakemake.params.spec,
        tables=list(snakemake.input.tables),
        pdf=snakemake.output.pdf,
        png=snakemake.output.png,
        svg=snakemake.output.svg,
    )
