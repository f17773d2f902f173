"""Score one checkpoint, or the random encoder it started from, on one task."""

from fedssl.evaluation.evaluate import evaluate
from fedssl.job import job

with job(snakemake, **snakemake.params.settings):
    evaluate(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        model=snakemake.input.get("model"),
        bank=snakemake.input.bank,
        normalisation=snakemake.input.get("normalisation"),
        knn=snakemake.output.knn,
        predictions=snakemake.output.predictions,
    )
