"""Write the report page: all numbers, and what each rests on, in one file."""

from fedssl.paper.page.write import write_page
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.spec):
    write_page(
        snakemake.params.spec,
        claims=next(iter(snakemake.input.claims), None),
        contradictions=snakemake.input.contradictions,
        published=snakemake.input.published,
        certificate=snakemake.input.certificate,
        path=snakemake.output.page,
    )
