"""Score one checkpoint, or the random encoder it started from, on one task."""

from fedssl.evaluation.evaluate import evaluate
from fedssl.job import job

with job(snakemake, **snakemake.params.settings):
    evaluate(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metrics=dict(zip(snakemake.params.protocols, snakemake.output.metrics, strict=True)),
    )
