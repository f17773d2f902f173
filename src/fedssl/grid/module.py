"""The configuration of the workflow when another workflow imports it as a module."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fedssl.grid.configuration import Layer, merge, merged, read_layers


def module_layers(
    name: str,
    config: Mapping[str, Any],
    *,
    shipped: Iterable[str | Path],
    command_line: Mapping[str, Any],
) -> list[Layer]:
    """Return the layers of a module's configuration: the shipped files, then what it is given.

    Args:
        name: name of the module, for messages.
        config: what the importer passes, which has its files and its command line merged.
        shipped: the workflow's own files.
        command_line: the settings of `--config`, which are the module's only if `config` has them.
    """
    *files, typed = read_layers(shipped, command_line)
    told = {k: v for k, v in typed.content.items() if config.get(k) == command_line[k]}
    given, known = merge(config, told), merged(files)
    changes = {key: value for key, value in given.items() if known.get(key, ...) != value}
    return [*files, Layer(f"config of module {name}", changes)]
