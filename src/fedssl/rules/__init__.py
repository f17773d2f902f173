"""What the rules ask of the grid: one class a rule file, its methods take a job's wildcards.

Nothing a job imports: an edit here changes a job only through the values it hands over.
"""
