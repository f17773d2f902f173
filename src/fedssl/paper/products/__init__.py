"""The kinds of tables and figures, one module per kind.

`product.py` is the contract of a kind, and `registry.py` lists the kinds. A kind imports no other
kind, so that an edit reruns only its own products.
"""
