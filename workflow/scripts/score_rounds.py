"""Score the kept rounds of one cell on one task, and choose a round."""

from fedssl.evaluation.round_models import other_splits
from fedssl.evaluation.round_scores import score_rounds
from fedssl.record.job import recorded_job

# Not a parameter: a task that is added on the same dataset does not change this one's scores.
tasks = snakemake.config["studies"][snakemake.wildcards.study]["tasks"]
with recorded_job(snakemake, **snakemake.params.settings) as facts:
    facts |= score_rounds(
        snakemake.params.settings,
        identity=dict(snakemake.wildcards.items()),
        inputs=dict(snakemake.input.items()),
        outputs=dict(snakemake.output.items()),
        other_splits=other_splits(tasks, snakemake.wildcards.task),
        state=snakemake.params.shared_state,
    )
