"""Users' own recordings and images, given as a folder by class or as a CSV file.

Such a dataset needs no archive and no reader. `folder` and `table` find the files, their classes
and splits. `dataset_entry` completes the entry in the configuration, and `read` yields the members
of the bank. Start with `read`.

May import `data.samples`, `data.readers`, `data.fetch.manual_files` and the settings of data.
Only `dataset_entry` reads the configuration.
"""
