"""A finished run as a research object: Workflow Run RO-Crate, Provenance Run profile."""
