"""Test the papers' claims on the papers' own numbers and on the measured ones.

Start with `claims.py`, which writes `claims.csv`. `predicates.py` evaluates the comparisons of a
claim, `gaps.py` computes the difference between two sides and its interval, and `evidence.py`
words the result.
"""
