"""Write the report page: one HTML file with all numbers and the jobs behind them.

Start with `write.py`, which renders the templates. `plan.py` lists the files that the page shows,
and the other modules turn one kind of file each into plain data for the templates.
"""
