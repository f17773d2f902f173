"""Pickles of plain data and byte arrays, read without running anything that they ask for.

A pickle is a program. Here it may build containers, text and numbers, and what it calls a NumPy
array becomes an object of ours that only remembers shape and bytes: neither a function of its
choice nor NumPy's own unpickling, which trusts its input, is ever called.
"""

import io
import math
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from fedssl.errors import UserError

_REFUSALS = (
    *(pickle.UnpicklingError, EOFError, ValueError, IndexError, TypeError, KeyError),
    *(AttributeError, OverflowError, MemoryError, RecursionError),
)


class _Kind:
    """Stands for a class that a pickle names and does not get."""

    def __init__(self, *state: Any) -> None:
        self.state: Any = state

    def __setstate__(self, state: Any) -> None:
        if isinstance(self, _Array):
            self.state = state


class _Array(_Kind):
    """Stands for an array: (version, shape, dtype, Fortran order, bytes)."""

    def array(self) -> np.ndarray:
        """Return the array; raise ValueError or TypeError if it is not one of bytes."""
        _, shape, kind, fortran, data = self.state
        if not isinstance(kind, _Type) or kind.state[0] != "u1" or fortran:
            raise ValueError("an array is not one of bytes in C order")
        content = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(content, bytes) or len(content) != math.prod(shape):
            raise ValueError("an array does not hold as many bytes as its shape says")
        return np.frombuffer(content, np.uint8).reshape(shape)


class _Type(_Kind):
    """Stands for a dtype: (code, align, copy)."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


class _Unpickler(pickle.Unpickler):
    """Gives stand-ins for what an array is made of; any other name could run code."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError as error:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from error


def unpickle(data: bytes, where: str) -> dict[str, Any]:
    """Return the dict of a Python 2 pickle, its byte arrays as (read-only) NumPy arrays.

    Raises:
        UserError: it holds, or asks for, anything else; names `where`.
    """
    try:
        content = _Unpickler(io.BytesIO(data), encoding="latin1").load()
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__} where a dict is needed")
        return {
            key: value.array() if isinstance(value, _Array) else value
            for key, value in content.items()
        }
    except _REFUSALS as error:
        raise UserError(
            f"{where} is refused: only plain data and byte arrays are read ({error})"
        ) from error
