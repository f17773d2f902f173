"""Draw a figure of maps."""

from fedssl.paper.products.maps import write_map_figure
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_map_figure(
        snakemake.params.spec,
        table=snakemake.input.table,
        pdf=snakemake.output.pdf,
        png=snakemake.output.png,
        svg=snakemake.output.svg,
    )
