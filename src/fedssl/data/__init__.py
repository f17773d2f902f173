"""Datasets, from archives to the samples of each client.

Start with `banks.bank`, the arrays on disk that all training and evaluation reads. `fetch`
obtains and verifies archives, and `readers` has one module per dataset that reads them into a
bank. `own` reads a user's own folders, `made_up` generates archives for the demo and the tests,
and `sharding` divides a bank's training samples among the clients.

Only `plan`, which plans the rules, may import `record` and all of `grid`. `fetch.mirror` and
`own.dataset_entry` read the configuration. Everything else takes its settings as arguments.
"""
