"""Draw each task's score round by round, and write the matrix behind it."""

from fedssl.job import job
from fedssl.reporting.round_figure import write_round_figure

with job(snakemake, **snakemake.params.spec):
    write_round_figure(
        snakemake.params.spec,
        matrix=snakemake.output.matrix,
        figure={kind: snakemake.output[kind] for kind in ("pdf", "png", "svg")},
    )
