"""Measure a few steps of a kind of pretraining."""

import tempfile
from pathlib import Path

from fedssl.record.job import recorded_job
from fedssl.rehearsal.rates import write_rates
from fedssl.rehearsal.training import rehearse_pretraining

with recorded_job(snakemake, **snakemake.params.settings):
    # On the disk of the results, because writing a checkpoint is a part of what is measured.
    with tempfile.TemporaryDirectory(dir=Path(snakemake.output.rates).parent) as folder:
        rates = rehearse_pretraining(
            snakemake.params.settings,
            inputs=dict(snakemake.input.items()),
            folder=Path(folder),
            of=snakemake.params.names,
        )
    write_rates(rates, snakemake.output.rates)
