"""Generate one small archive in the official layout, for the demo."""

from pathlib import Path

from fedssl.data.made_up.archives import write_archives
from fedssl.record.job import recorded_job

with recorded_job(snakemake, wait=86_400, contents=snakemake.params.contents):
    write_archives(
        snakemake.wildcards.dataset,
        {snakemake.params.key: Path(snakemake.output.archive)},
        **snakemake.params.contents,
        seed=0,
    )
