"""Measure a few batches of scoring a checkpoint on a task."""

import tempfile
from pathlib import Path

from fedssl.record.job import recorded_job
from fedssl.rehearsal.rates import write_rates
from fedssl.rehearsal.scoring import rehearse_evaluation

with recorded_job(snakemake, **snakemake.params.settings):
    with tempfile.TemporaryDirectory(dir=Path(snakemake.output.rates).parent) as folder:
        rates = rehearse_evaluation(
            snakemake.params.settings,
            inputs=dict(snakemake.input.items()),
            folder=Path(folder),
            of={"rule": "evaluate", **snakemake.params.names},
        )
    write_rates(rates, snakemake.output.rates)
