"""Pretrain one cell, or go on where an interrupted run stopped."""

import os
from pathlib import Path

from fedssl.federation.checkpoint import remove_checkpoints
from fedssl.federation.engine import pretraining
from fedssl.record.job import recorded_job

if __name__ == "__main__":  # and not in the processes that train clients side by side
    with recorded_job(snakemake, **snakemake.params.settings) as facts:
        pretrain = pretraining(os.environ["FEDSSL_ENGINE"], os.environ["FEDSSL_SUPERLINK"])
        facts |= pretrain(
            snakemake.params.settings,
            inputs=dict(snakemake.input.items()),
            clients=snakemake.resources.clients,
            checkpoints=snakemake.params.state,
            model=snakemake.output.model,
            rounds=snakemake.output.rounds,
            milestones=snakemake.output.milestones,
        )
    remove_checkpoints(Path(snakemake.params.state))
