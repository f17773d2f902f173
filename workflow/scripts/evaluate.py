"""Score one checkpoint, or the random encoder it started from, on one task."""

from pathlib import Path

from fedssl.evaluation.evaluate import evaluate
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    evaluate(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metrics={Path(file).stem: file for file in snakemake.output.metrics},
    )
