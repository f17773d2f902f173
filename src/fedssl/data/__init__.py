"""From archives to samples: fetching, decoding, banks and shards.

May import `grid` and `record`. Start with `banks.bank`, the memory-mapped arrays that everything
else reads, then `readers`, one module per dataset, and `sharding`, which deals samples to clients.
"""
