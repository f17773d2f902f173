"""Banks: datasets as arrays on disk, with labels and an index table.

Start with `bank`, which defines the format and opens a bank; `rows` and `device_rows` read its
samples, from where `placement` says; `verified` compares them with `block_hashes`, and `marks`
remembers that on the node; `staging` copies a bank to the node. `build` reads archives into a bank:
`members` are what a reader yields, `decoding` decodes them in parallel, `writer` writes the files,
`levels` says how loud sound is, and `partial_bank` lets a killed build be resumed.

May import `data.readers`, `data.own` and `data.fetch`. What opens and reads a bank imports none of
them, because every training job imports it.
"""
