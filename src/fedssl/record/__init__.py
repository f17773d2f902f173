"""What was run: the provenance record that each job writes, and what reads it back.

May import `grid`. Start with `job`, the context manager that records a job, then `write` (what a
record says), `read` (how it is read back) and `sources` (digests of the code behind a job).
"""
