"""Federated pretraining: rounds of clients, streamed into one global state."""
