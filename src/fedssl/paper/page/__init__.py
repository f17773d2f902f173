"""The report page: one file that shows every number with all that it rests on.

`content` gathers what the templates need as plain data, `write` renders it.
"""
