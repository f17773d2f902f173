"""Slurm's executor, without the faults of its Snakemake plugin that make a run hang or fail whole.

`executor.Executor` is a subclass of the executor of snakemake-executor-plugin-slurm, and the
Snakefile puts it in that one's place. Options and resources are the plugin's own. It replaces how
a job is submitted and how its end is noticed, because the plugin (read and tried in 2.8.0)

- takes `CANCELLED by <user>` of sacct, and PREEMPTED, for running (since 2.5.4; 2.2.0 did not);
- forgets all jobs if five queries within one second fail (since 2.5.4);
- refuses every later job after a node failure under Slurm's requeueing (`--exclude=None assigned`);
- submits again at once, and as a further attempt, what was refused because Slurm was away;
- submits a second job next to one that a killed Snakemake left running;
- waits without a word for a job that can never start, and for queued jobs after a SIGTERM;
- fails all members of a group for one of them, and names all jobs by one UUID.

Where a later version has none of them, delete this package and the line in
`workflow/rules/common.smk` that calls `use_executor`. `docs/slurm.md` is the user's side, and
`tests/slurm` injects each fault on a real cluster.
"""
