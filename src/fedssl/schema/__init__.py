"""All declared settings together: validation, the JSON schemas, and the settings reference.

Settings are declared where they are used: in the `settings.py` of each package, or in the module of
an aggregator, a method or an encoder. Start with `config.py`, the whole configuration. `write.py`
and `reference.py` make the generated files (`make schemas`). This package may import all others
except `fedssl.command`.
"""
