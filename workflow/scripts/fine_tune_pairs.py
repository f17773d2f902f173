"""Fine-tune one checkpoint, or a random encoder, on pairs, or go on where a run stopped."""

from pathlib import Path

from fedssl.evaluation.fine_tune_pairs import fine_tune_pairs
from fedssl.federation.checkpoint import remove_checkpoints
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings) as facts:
    facts |= fine_tune_pairs(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metric=snakemake.output.metric,
        state=snakemake.params.state,
    )
remove_checkpoints(Path(snakemake.params.state))
