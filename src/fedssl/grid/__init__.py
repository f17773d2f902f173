"""What is asked for: configuration layers, the cells of every study, and where results lie.

Imports nothing of the package but the modules at its top level. Start with `cell.Cell`, one
pretraining run, then `cells.Grid`, all cells of the merged configuration, and `paths`, the only
module that knows the file names of the results tree. `plan.Plan` is what planning functions get,
and `snakemake_api` holds every use of Snakemake that its documentation does not promise.
"""
