"""Read a dataset's archives into memory-mapped arrays, or resume a killed run."""

from pathlib import Path

from fedssl.data.banks.build import build_bank
from fedssl.data.fetch.verify import verified_archives
from fedssl.data.own.listing import own_files
from fedssl.progress import MemberProgress
from fedssl.record.job import recorded_job

if __name__ == "__main__":  # and not in the processes that decode
    with recorded_job(snakemake, **snakemake.params.contents) as facts:
        dataset, paths = snakemake.wildcards.dataset, dict(snakemake.input.items())
        progress = MemberProgress(snakemake.params.contents["splits"])
        with verified_archives(snakemake.config, dataset, paths=paths):
            build_bank(
                dataset,
                {key: Path(path) for key, path in paths.items()},
                Path(snakemake.output.bank).parent,
                entry=snakemake.params.contents,
                state=Path(snakemake.params.state),
                workers=snakemake.threads,
                progress=progress,
            )
        facts["pace"] = progress.facts()
        facts["further_inputs"] = own_files(snakemake.params.contents, paths)
