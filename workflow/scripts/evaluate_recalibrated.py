"""Score one checkpoint by kNN after recalibrating batch norm on the task."""

from fedssl.evaluation.evaluate import evaluate_recalibrated
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    evaluate_recalibrated(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metric=snakemake.output.metric,
    )
