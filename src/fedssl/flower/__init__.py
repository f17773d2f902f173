"""The engine `flower`: the project's rounds, with clients that are Flower's ClientApps.

A second way to train the clients of a round, next to `fedssl.federation.distributed`: methods,
aggregators, the round loop and the checkpoints are the same, and so are the bits. Start with
`grid.py`, the server's side. `client.py` trains one client, `node_memory.py` has what a client
keeps, and `records.py` what travels. `simulation.py` runs a cell on this machine, `deployment.py`
on a SuperLink. Only `fedssl.federation.engine` names this package, because flwr is an optional
dependency. It may import `fedssl.federation` and what that may import.
"""
