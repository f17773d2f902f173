"""Score one checkpoint, two specialists or a random encoder on pairs of an image and a sound."""

from pathlib import Path

from fedssl.evaluation.evaluate_pairs import evaluate_pairs
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    evaluate_pairs(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        metrics={Path(file).stem: file for file in snakemake.output.metrics},
    )
