"""Join the rates of a rehearsal, and write what each target will cost."""

from fedssl.command.budget import write_budget
from fedssl.record.job import recorded_job
from fedssl.rehearsal.rates import write_table

with recorded_job(snakemake):
    write_table(snakemake.input, snakemake.output.rates)
    write_budget(snakemake.output.budget, **snakemake.params.command)
