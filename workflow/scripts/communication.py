"""Write the communication ledger of a study's cells, as a table and a figure."""

from fedssl.paper.products.communication import write_communication
from fedssl.paper.products.communication_figure import write_communication_figure
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    out = snakemake.output
    write_communication(snakemake.params.spec, csv=out.csv, md=out.md)
    write_communication_figure(snakemake.params.spec, pdf=out.pdf, png=out.png, svg=out.svg)
