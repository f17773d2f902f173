"""Fetch one archive, from the mirror or its official address, and verify it."""

import os
from pathlib import Path

from fedssl.data.acquire import acquire
from fedssl.job import job

with job(snakemake, archive=snakemake.params.archive):
    acquire(
        snakemake.params.archive,
        Path(snakemake.output.archive),
        dataset=snakemake.wildcards.dataset,
        mirror=os.environ["FEDSSL_MIRROR"] or None,
        pins=Path(os.environ["FEDSSL_PINS"]),
        access=snakemake.params.access,
        progress=True,
    )
