"""Pretrain one cell on all data in one place, or go on where an interrupted run stopped."""

from fedssl.federation.centralised import pretrain
from fedssl.job import job

with job(snakemake, **snakemake.params.settings) as facts:
    facts |= pretrain(
        snakemake.params.settings,
        inputs=dict(snakemake.input.items()),
        checkpoints=snakemake.params.state,
        model=snakemake.output.model,
        rounds=snakemake.output.rounds,
    )
