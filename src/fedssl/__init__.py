"""Federated self-supervised learning: the package behind the workflow's rules.

Imports go one way: grid <- record <- (data, science) <- paper <- (audit, crate, command). The
science is views, backbones, methods, aggregators, federation and evaluation. The modules at this
level (`files`, `errors`, `randomness`, `progress`, `device`) import nothing else of the package.
"""
