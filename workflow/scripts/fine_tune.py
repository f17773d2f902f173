"""Fine-tune one checkpoint on one task, end to end."""

from fedssl.evaluation.evaluate import fine_tune
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    fine_tune(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metric=snakemake.output.metric,
    )
