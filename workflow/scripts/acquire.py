"""Fetch one archive from the mirror or its official address, and verify it."""

import os
from pathlib import Path

from fedssl.data.fetch.acquire import acquire, declared_archive
from fedssl.record.job import recorded_job

with recorded_job(snakemake, wait=86_400, **snakemake.params.content):
    acquire(
        # The mirror comes from the environment, not from params: the same bytes from another
        # source must not rerun the job.
        **declared_archive(
            snakemake.config, snakemake.wildcards.dataset, file=snakemake.wildcards.file
        ),
        destination=Path(snakemake.output.archive),
        mirror=os.environ["FEDSSL_MIRROR"] or None,
        pins=Path(os.environ["FEDSSL_PINS"]),
    )
