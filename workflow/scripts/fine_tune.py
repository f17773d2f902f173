"""Fine-tune one checkpoint on one task end to end, or go on where an interrupted run stopped."""

from pathlib import Path

from fedssl.evaluation.evaluate import fine_tune
from fedssl.federation.checkpoint import remove_checkpoints
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings) as facts:
    facts |= fine_tune(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metric=snakemake.output.metric,
        state=snakemake.params.state,
    )
remove_checkpoints(Path(snakemake.params.state))
