"""Pretraining: rounds of clients, or all data in one place.

Start with `rounds.py`, which runs a federated cell from its settings to its final model.
`client.py` trains one client, `distributed.py` several in parallel, `memory.py` says what clients
keep between rounds, `server.py` what the server knows, `checkpoint.py` saves both.
`centralised.py` trains the same methods with a Lightning Trainer. This package may import
`fedssl.aggregators`, `fedssl.methods`, `fedssl.backbones`, `fedssl.views` and `fedssl.data`.
"""
