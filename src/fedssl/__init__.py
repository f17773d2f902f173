"""Federated self-supervised learning: the package behind the workflow's rules."""
