"""A fault campaign: kill the workflow, damage its files, fill its disk, and compare the results.

`python -m benchmarks.chaos --kills 100` runs it and prints one table. The workflow runs in clones
of the checkout, with the commands that a user types. The product has no hooks for the campaign.
Start reading at `campaign.py`; `outcome.py` says how an outcome is judged.
"""
