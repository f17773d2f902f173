"""Banks: a dataset as memory-mapped arrays with labels and an index table.

Start with `bank`, the format and how it is read. `build` fills a bank from a reader's members and
resumes after a kill.
"""
