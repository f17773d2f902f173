"""CIFAR-10: one tar.gz of Python 2 pickles, 32 px RGB images."""

import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedssl.data.bank import Modality
from fedssl.data.members import tar_members
from fedssl.data.samples import BadMember, Sample
from fedssl.errors import UserError

MODALITY: Modality = "image"

_ROOT = "cifar-10-batches-py"
_BATCHES = {**{f"data_batch_{i}": "train" for i in range(1, 6)}, "test_batch": "test"}
_SHAPE = (3, 32, 32)


def read(archives: Mapping[str, Path]) -> Iterator[Sample | BadMember]:
    """Yield the `train` and `test` images, (32, 32, 3), batch by batch."""
    path = archives["batches"]
    pickles = {
        name.removeprefix(f"{_ROOT}/"): load()
        for name, load in tar_members(path)
        if name.startswith(f"{_ROOT}/")
    }
    for needed in ("batches.meta", *_BATCHES):
        if needed not in pickles:
            raise UserError(f"{path} has no {_ROOT}/{needed}")
    names = _unpickle(pickles["batches.meta"], f"{path}: batches.meta")["label_names"]
    for batch, split in _BATCHES.items():
        content = _unpickle(pickles[batch], f"{path}: {batch}")
        images = content["data"].reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
        for position, (image, label) in enumerate(zip(images, content["labels"], strict=True)):
            yield Sample(f"{_ROOT}/{batch}/{position:05d}", names[label], split, image)


_reconstruct: Callable[..., Any] = np.empty(0).__reduce__()[0]  # type: ignore[assignment]
_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles containers and NumPy arrays; any other global could run code and is refused."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError as error:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from error


def _unpickle(data: bytes, where: str) -> dict[str, Any]:
    try:
        content = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, TypeError) as error:
        raise UserError(
            f"{where} is refused: only plain data and arrays are read ({error})"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{where} holds a {type(content).__name__} where a dict is needed")
    return content
