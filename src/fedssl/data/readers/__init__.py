"""Readers: one module per dataset, and the decoding that they share.

A reader has a constant `MODALITY` and a function `read(archives)`, which yields the members of the
archives in a fixed order. Start with `fsdd`, the shortest one. `archive_members` reads zip and tar
files, `decode` turns bytes into arrays, `csv_rows` reads annotations, `recordings` cuts segments
from long recordings, and `unpickle` reads CIFAR-10 safely.

May import `data.banks` and `data.fetch.manual_files`.
"""
