"""Draw each task's score round by round, and write the matrix behind it."""

from fedssl.paper.products.rounds import write_round_figure
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_round_figure(
        snakemake.params.spec,
        matrix=snakemake.output.matrix,
        figure={kind: snakemake.output[kind] for kind in ("pdf", "png", "svg")},
    )
