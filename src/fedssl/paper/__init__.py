"""From metric files to what is printed: tables, figures, claims and the report page.

May import everything but `audit`, `crate` and `command`. Start with `products`, one module per
kind of table or figure. Nothing here computes a prediction.
"""
