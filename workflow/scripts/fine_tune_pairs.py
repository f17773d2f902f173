"""Fine-tune one checkpoint, or a random encoder, on pairs of an image and a sound."""

from fedssl.evaluation.fine_tune_pairs import fine_tune_pairs
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    fine_tune_pairs(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metric=snakemake.output.metric,
    )
