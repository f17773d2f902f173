"""Draw the training loss of a study's cells, round by round."""

from fedssl.paper.products.loss import write_loss_figure
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_loss_figure(
        snakemake.params.spec,
        pdf=snakemake.output.pdf,
        png=snakemake.output.png,
        svg=snakemake.output.svg,
    )
