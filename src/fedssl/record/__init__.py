"""Provenance records: each job writes one, and this package reads them back.

It may import `grid`. Start with `job.recorded_job`, the context manager that records a job, then
`write` (the content of a record), `read` (the only reader, `Record`) and `sources` (digests of the
code that a job runs). `status` has the status of each cell, `failures` reports failed jobs, and
`stale` reruns jobs whose recorded settings differ from the configuration.
"""
