"""Write what a run prints: tables, figures, claims, the certificate and the report page.

Everything is read from score files and provenance records. No module here computes a prediction.
The package may import every other package except `audit`, `crate` and `command`. Start reading at
`products/product.py`, the contract of a table or figure, and `tables.py`, the papers' tables.
"""
