"""Score the kept rounds of one cell on one task, and choose a round."""

from fedssl.evaluation.round_scores import score_rounds
from fedssl.record.job import recorded_job

with recorded_job(snakemake, **snakemake.params.settings):
    score_rounds(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        outputs=dict(snakemake.output.items()),
    )
