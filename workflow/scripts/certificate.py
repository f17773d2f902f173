"""Write the certificate of a run."""

from fedssl.job import job
from fedssl.reporting.certificate import write_certificate

with job(snakemake, **snakemake.params.spec):
    write_certificate(
        snakemake.params.spec,
        claims=snakemake.input.claims,
        published=snakemake.input.published,
        lock=snakemake.input.lock,
        path=snakemake.output.certificate,
    )
