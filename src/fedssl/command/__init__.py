"""The `fedssl` command: questions about cells and results, answered without starting a job.

Start with `main.py`. Each subcommand is one module with a function of the same name. Subcommands
import what they need inside that function, so that `--help` stays fast. `project` opens the
configuration, `selection` finds records, `dry_run` asks Snakemake what it would run, and `output`
prints. This package may import all others.
"""
