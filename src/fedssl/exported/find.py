"""Find the files of a folder that an encoder can embed."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fedssl.data.banks.bank import Modality
from fedssl.data.file_names import one_form
from fedssl.data.own.folder import files_below
from fedssl.data.own.labelled_files import LabelledFile
from fedssl.data.own.read import SUFFIXES
from fedssl.errors import UserError

_MODALITIES: tuple[Modality, ...] = ("image", "audio")


def find_files(folder: Path) -> list[LabelledFile]:
    """Return all files at any depth of a folder, in the order of a bank.

    Raises:
        UserError: There is no such folder.
    """
    if not folder.is_dir():
        kind = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"{folder} {kind}; name a folder with images or sounds.")
    names = sorted(files_below(str(folder)), key=one_form)
    return [LabelledFile(name, os.path.join(folder, name), "", "") for name in names]


def of_modality(files: Sequence[LabelledFile], modality: Modality) -> list[LabelledFile]:
    """Return the files whose suffix is one of a modality's."""
    return [file for file in files if _suffix(file) in SUFFIXES[modality]]


def only_modality(files: Sequence[LabelledFile], folder: Path) -> Modality:
    """Return what a folder holds.

    Raises:
        UserError: It has images and sounds, or neither.
    """
    counts = {modality: len(of_modality(files, modality)) for modality in _MODALITIES}
    held = [modality for modality in _MODALITIES if counts[modality]]
    if len(held) == 2:
        raise UserError(
            f"{folder} has {counts['image']} images and {counts['audio']} sounds; say which to "
            "embed by --modality image or --modality audio."
        )
    if not held:
        found = Counter(map(_suffix, files)).most_common(5)
        listed = ", ".join(f"{suffix or 'no suffix'} ({count})" for suffix, count in found)
        known = ", ".join(sorted(SUFFIXES["image"] | SUFFIXES["audio"]))
        raise UserError(
            f"{folder} has no image or sound, but {listed or 'no file at all'}; files must end in "
            f"{known}."
        )
    return held[0]


def _suffix(file: LabelledFile) -> str:
    return os.path.splitext(file.path)[1].lower()
