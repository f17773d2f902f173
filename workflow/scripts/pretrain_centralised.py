"""Pretrain one cell on all data in one place, or go on where an interrupted run stopped."""

from pathlib import Path

from fedssl.federation.centralised import pretrain
from fedssl.federation.checkpoint import remove_checkpoints
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings) as facts:
    facts |= pretrain(
        snakemake.params.settings,
        inputs=dict(snakemake.input.items()),
        checkpoints=snakemake.params.state,
        model=snakemake.output.model,
        rounds=snakemake.output.rounds,
    )

remove_checkpoints(Path(snakemake.params.state))
