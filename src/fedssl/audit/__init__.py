"""The audit: check every number in a results folder back to code, data and seed.

It runs no job of the workflow. Start with `audit.audit`. `chain` compares files with the hashes in
the records, `recompute` computes scores, tables and claims again from stored files, `labels`
compares predictions with the bank, `seal` compares the records with an earlier seal, and `units`
groups the findings by cell, table and bank. The package may import all but `crate` and `command`.
"""
