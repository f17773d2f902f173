"""Generated archives in official layouts, for the demo and the tests.

Start with `archives`, which writes one archive of a dataset. Nothing made here is a result.
"""
