"""Following every number back to code, data and seed, without running the workflow."""
