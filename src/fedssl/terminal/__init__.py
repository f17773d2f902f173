"""What `snakemake` prints while it runs this workflow, in place of ten lines per job.

`job_lines` prints one line per finished job: what it did (`description`), what it found, and how
long the rest will take (`time_left`). `verdicts` prints the last lines of a run. This package may
import `grid`, `record` and `paper`.
"""
