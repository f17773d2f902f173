"""Archives on disk: download or mirror, verify against a checksum, pin what has none.

Start with `acquire`. `mirror` collects the archives of a target, `clip_download` fetches datasets
that are published as a list of clips, and `supplied` finds recordings that a user must provide.
"""
