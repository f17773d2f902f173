"""Store a few samples of a bank, which the report page shows with what was predicted for them."""

from pathlib import Path

from fedssl.data.banks.bank import open_bank
from fedssl.data.banks.examples import write_examples
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    write_examples(
        open_bank(Path(snakemake.input.bank).parent),
        snakemake.output.examples,
        splits=snakemake.params.settings["splits"],
    )
