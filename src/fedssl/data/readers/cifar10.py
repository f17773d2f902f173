"""CIFAR-10: one tar.gz of Python 2 pickles, 32 px RGB images."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.banks.bank import Modality
from fedssl.data.readers.archive_members import read_required, tar_members
from fedssl.data.readers.unpickle import unpickle
from fedssl.data.samples import Sample
from fedssl.errors import UserError

MODALITY: Modality = "image"

_ROOT = "cifar-10-batches-py"
_BATCHES = {**{f"data_batch_{i}": "train" for i in range(1, 6)}, "test_batch": "test"}
_SHAPE = (3, 32, 32)


def read(archives: Mapping[str, Path]) -> Iterator[Sample]:
    """Yield the `train` and `test` images, (32, 32, 3) uint8, batch by batch.

    Raises:
        UserError: the archive is damaged or has other contents.
    """
    path = archives["batches"]
    wanted = {f"{_ROOT}/{name}" for name in ("batches.meta", *_BATCHES)}
    pickles = {
        name: unpickle(read_required(load, f"{name} of {path}"), f"{name} of {path}")
        for name, load in tar_members(path)
        if name in wanted
    }
    if missing := sorted(wanted - set(pickles)):
        raise UserError(f"{path} has no {missing[0]}")
    names = pickles[f"{_ROOT}/batches.meta"].get("label_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{_ROOT}/batches.meta of {path} must list label_names")
    # Yield in the order of `_BATCHES`, so that it does not depend on the order in the archive.
    for batch, split in _BATCHES.items():
        where = f"{_ROOT}/{batch} of {path}"
        images, labels = _batch(pickles[f"{_ROOT}/{batch}"], where, classes=len(names))
        for position, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield Sample(f"{_ROOT}/{batch}/{position:05d}", names[label], split, image)


def _batch(content: Mapping[str, Any], where: str, *, classes: int) -> tuple[np.ndarray, list[int]]:
    """Return N images, (N, 32, 32, 3), and N labels; raise UserError for other contents."""
    data, labels = content.get("data"), content.get("labels")
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != math.prod(_SHAPE):
        raise UserError(f"{where} must hold data of {math.prod(_SHAPE)} bytes per image")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise UserError(f"{where} must hold as many labels as images, {len(data)}")
    if wrong := [label for label in labels if label not in range(classes)]:
        raise UserError(f"{where} has the label {wrong[0]!r}; there are {classes} classes")
    # The archive stores three colour planes per image; a bank stores channels last.
    return data.reshape(-1, *_SHAPE).transpose(0, 2, 3, 1), labels
