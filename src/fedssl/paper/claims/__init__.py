"""The papers' claims, tested on the papers' own numbers and on the measured ones.

Start with `claims`. `predicates` has one function per kind of comparison that a claim can make.
"""
