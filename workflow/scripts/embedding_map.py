"""Map samples of several datasets by one checkpoint's features."""

from fedssl.evaluation.embedding_map import embedding_map
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    embedding_map(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        checkpoint=snakemake.params.checkpoint,
        banks=snakemake.input.banks,
        normalisation=snakemake.input.get("normalisation"),
        points=snakemake.output.points,
        summary=snakemake.output.summary,
    )
