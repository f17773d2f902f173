"""Compute the mean and standard deviation of a pretraining set's log-mel images."""

from pathlib import Path

from fedssl.data.banks.bank import open_bank
from fedssl.record.job import recorded_job
from fedssl.views.statistics import write_statistics

with recorded_job(snakemake, **snakemake.params.settings):
    write_statistics(
        open_bank(Path(snakemake.input.bank).parent),
        snakemake.output.statistics,
        audio=snakemake.params.settings["audio"],
    )
