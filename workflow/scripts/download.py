"""Download the annotated clips of a dataset, or resume an earlier download."""

from pathlib import Path

from fedssl.data.fetch.clip_download import download_clips
from fedssl.record.job import recorded_job

with recorded_job(snakemake, wait=86_400, **snakemake.params.settings) as facts:
    listing = Path(snakemake.output.listing)
    facts["clips"] = download_clips(
        Path(snakemake.input.annotations),
        listing.with_name("clips"),
        listing=listing,
        manifest=Path(snakemake.output.manifest),
        settings=snakemake.params.settings,
    )
