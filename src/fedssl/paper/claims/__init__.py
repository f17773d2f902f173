"""Test the papers' claims on the papers' own numbers and on the measured ones.

Start with `claims.py`, which writes `claims.csv`. `predicates.py` evaluates claims on the printed
numbers. `cells.py` reads the measured ones, and `measured.py` tests claims on them with
`fedssl.paper.verdicts`. `evidence.py` words both results.
"""
