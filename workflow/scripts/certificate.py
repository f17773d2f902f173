"""Write the certificate of a run."""

from fedssl.paper.certificate import write_certificate
from fedssl.record.job import job

with job(snakemake, **snakemake.params.spec):
    write_certificate(
        snakemake.params.spec,
        claims=snakemake.input.claims,
        published=snakemake.input.published,
        lock=snakemake.input.lock,
        path=snakemake.output.certificate,
    )
