"""Draw the training loss of a study's cells, round by round."""

from fedssl.job import job
from fedssl.reporting.figures import write_loss_figure

with job(snakemake, **snakemake.params.spec):
    write_loss_figure(
        snakemake.params.spec,
        pdf=snakemake.output.pdf,
        png=snakemake.output.png,
        svg=snakemake.output.svg,
    )
