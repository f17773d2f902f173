"""Audit the results folder that the rule's outputs lie in."""

from pathlib import Path

from fedssl.audit.audit import seal_results
from fedssl.record.job import recorded_job

with recorded_job(snakemake, judging=True):
    seal_results(Path(snakemake.output.audit).parent, snakemake.output.audit)
