"""A job whose files are in a Snakemake storage: it works in the folder of their local copies.

There, a result has the path that it has without a storage. So the settings, records and tables of
a run have the same content with and without one, and can be moved.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FOLDER = "FEDSSL_STORAGE"
STARTED_IN = "FEDSSL_STARTED_IN"  # set in such jobs alone, for trackers
# Places that stay where the run was started.
_LOCAL_VARIABLES = ("FEDSSL_MIRROR", "FEDSSL_PINS", "FEDSSL_BANKS_STAGING")
_LOCAL_PARAMS = ("state", "shared_state")


@contextlib.contextmanager
def in_storage(snakemake: Any) -> Iterator[None]:
    """Run the body in the folder of the local copies, with paths relative to it.

    Without a storage, nothing changes.
    """
    folder, here = os.environ.get(FOLDER, ""), Path.cwd()
    if not folder:
        yield
        return
    for names in (snakemake.input, snakemake.output, snakemake.log):
        _rename(names, lambda name: _below(name, folder))
    for name in _LOCAL_PARAMS:
        if hasattr(snakemake.params, name):
            setattr(snakemake.params, name, os.path.abspath(getattr(snakemake.params, name)))
    for name in _LOCAL_VARIABLES:
        if (place := os.environ.get(name, "")) and "://" not in place:
            os.environ[name] = os.path.abspath(place)
    os.environ[STARTED_IN] = str(here)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)


def _below(name: str, folder: str) -> str:
    """Return a path relative to the folder; an absolute one for a file that is not in a storage."""
    path = Path(name)
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path.absolute())


def _rename(names: Any, new: Callable[[str], str]) -> None:
    """Replace all paths in a list of Snakemake's, which also has them as attributes."""
    for key, value in list(names.items()):
        setattr(names, key, new(value) if isinstance(value, str) else [*map(new, value)])
    names[:] = map(new, names)
