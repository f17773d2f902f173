"""Measure a few steps of fine-tuning on a task, and a few batches of scoring kept rounds."""

from fedssl.record.job import recorded_job
from fedssl.rehearsal.rates import write_rates
from fedssl.rehearsal.scoring import rehearse_fine_tuning, rehearse_rounds

params, names = snakemake.params, snakemake.params.names
inputs = dict(snakemake.input.items())
with recorded_job(snakemake, **params.settings):
    rates = []
    if "fine_tune" in params.rules:
        of = {"rule": "fine_tune", **names}
        rates += rehearse_fine_tuning(params.settings, inputs=inputs, of=of)
    if "score_rounds" in params.rules:
        of = {"rule": "score_rounds", **names}
        rates += rehearse_rounds(params.round_settings, inputs=inputs, of=of)
    write_rates(rates, snakemake.output.rates)
