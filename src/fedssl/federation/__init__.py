"""Pretraining: rounds of clients, or all data in one place.

Start with `rounds.py`, which runs a federated cell from its settings to its final model, and
`one_round.py`. `participants.py` draws the clients, `faults.py` those that drop out, miss the
deadline or attack (`uploads.py`); `client.py` trains one, `distributed.py` several in parallel
(`shared.py`); `trainer.py` has what both receive and return. `memory.py` has the tensors that
clients keep, `server.py` those of the server; `checkpoint.py` saves both. `divergence.py` stops a
training that diverged. `centralised.py` trains the same methods with a Lightning Trainer. This
package may import `fedssl.aggregators`, `fedssl.methods`, `fedssl.backbones`, `fedssl.views` and
`fedssl.data`.
"""
