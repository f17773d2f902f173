"""Write one table or figure, of whatever kind."""

from fedssl.paper.products.product import make
from fedssl.paper.products.registry import get_product
from fedssl.record.job import job

with job(snakemake, **snakemake.params.spec):
    make(
        get_product(snakemake.params.kind),
        snakemake.params.spec,
        dict(snakemake.output.items()),
    )
