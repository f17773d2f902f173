"""Write the certificate of a run."""

from fedssl.paper.certificate import write_certificate
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_certificate(
        snakemake.params.spec,
        claims=next(iter(snakemake.input.claims), None),
        published=snakemake.input.published,
        lock=snakemake.input.lock,
        path=snakemake.output.certificate,
    )
