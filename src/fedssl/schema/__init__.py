"""The settings of all packages together: validation, the JSON schemas, the settings reference.

Settings are declared where they are used, in each package's `settings.py` or in the module of an
aggregator, a method or an encoder. Start with `config.py`, the whole configuration. `write.py` and
`reference.py` make what is generated (`make schemas`). This package may import all others but
`fedssl.command`.
"""
