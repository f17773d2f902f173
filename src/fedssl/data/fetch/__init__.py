"""Obtain archives: download them or copy them from a mirror, and verify them.

Start with `acquire`, which fetches one archive. `verify` checks size and checksum, and `pins`
records the checksum of archives whose owners publish none. `mirror` collects the archives that a
target needs, `clip_download` fetches VGGSound clip by clip, and `manual_files` finds recordings
that users must obtain by hand.

May import `data.readers`, `data.banks` and `data.settings`. Only `mirror` reads the configuration.
"""
