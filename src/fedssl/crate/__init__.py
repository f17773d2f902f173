"""Describe a finished run as a Workflow Run RO-Crate (profile: Provenance Run Crate).

Start with `crate.write_crate`. `jobs` reads the records of the run, `files` adds the entities of
files, `run` adds the workflow, its steps, and one action per job, and `preview` writes the page for
people. This package may import all but `audit` and `command`.
"""
