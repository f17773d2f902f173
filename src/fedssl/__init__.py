"""Federated self-supervised learning: the package behind the workflow's rules.

Packages import in one direction: grid <- record <- (data, science) <- paper <- (audit, crate,
command). The science is views, backbones, methods, aggregators, federation and evaluation. The
modules at this level (`files`, `errors`, `settings`, `typed`, `randomness`, `progress`, `device`,
`ahead`) import only each other. `docs/architecture.md` follows one setting through all packages.
"""
