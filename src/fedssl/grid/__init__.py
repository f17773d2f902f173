"""What is asked for: configuration layers, the cells of every study, and where results lie.

Imports nothing of the package but the modules at its top level. Start with `cells.Cell`, one
pretraining run, then `cells.Grid`, all cells of the merged configuration, and `paths`, the only
module that knows the file names of the results tree.
"""
