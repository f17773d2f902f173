"""The declared experiments: configuration, cells of every study, and paths of their results.

This package imports only the top-level modules of `fedssl`. Start with `cell.Cell`, one
pretraining run, then `cells.Grid`, all cells of the merged configuration, and `paths`, the only
module that knows the file names of the results tree. Settings are validated by `parts` (what
methods, encoders and aggregators declare), `forms` and `mistakes`. `snakemake_api` has all uses of
undocumented parts of Snakemake.
"""
