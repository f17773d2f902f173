"""What the rules ask of the grid: classes whose methods take a job's wildcards.

Nothing a job imports: an edit here changes a job only through the values it hands over.
"""
