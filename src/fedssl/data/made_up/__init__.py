"""Generate small archives in the official layouts, for the demo and the tests.

Start with `archives`, which writes the archives of a dataset. `media` draws its pictures and
sounds, and `containers` writes zip, tar.gz, IDX and pickle files. The same arguments always give
the same bytes, so that checksums and reruns of the demo are stable.

May import `randomness`, `files` and the readers whose splits it must match. Scores on generated
data say nothing about the papers.
"""
