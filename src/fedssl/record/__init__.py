"""What was run: the provenance record that each job writes, and what reads it back.

May import `grid`. Start with `job.recorded_job`, the context manager that records a job, then
`write` (what a record says), `read` (the one reader, `Record`) and `sources` (digests of the code
behind a job). `status` says how far each cell has come, `failures` which jobs failed, and `stale`
reruns jobs whose record holds other settings than the configuration.
"""
