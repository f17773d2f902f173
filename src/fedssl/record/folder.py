"""Find the results folder that a user names."""

import contextlib
import os
from pathlib import Path

from fedssl.errors import UserError

_STAGES = ("pretrain", "tables")  # a folder with one of these is a results folder


def results_folder(path: str | Path) -> Path:
    """Return the absolute path of a results folder.

    Raises:
        UserError: The folder does not exist, is not readable, or has several results folders.
    """
    root = Path(path).absolute()
    if not os.path.isdir(root):  # Path.is_dir raises if a parent is not readable
        with contextlib.suppress(OSError):
            if root.name not in os.listdir(root.parent):
                raise UserError(
                    f"{path} does not exist; name a results folder, or run the workflow."
                )
        raise UserError(f"{path} is not a folder that you can read; name a results folder.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"you have no permission to read {path}; ask its owner.")
    below = sorted({stage.parent for name in _STAGES for stage in root.glob(f"*/{name}")})
    if below and not any((root / name).is_dir() for name in _STAGES):
        names = ", ".join(str(Path(path, folder.name)) for folder in below)
        raise UserError(f"{path} contains several results folders; name one of {names}.")
    return root.resolve()
