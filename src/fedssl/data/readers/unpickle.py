"""Read pickles of plain data and byte arrays without running any code that they contain.

A pickle is a program that can call any function. Here it may only build containers, text and
numbers. NumPy arrays become objects of ours that store shape and bytes; NumPy's own unpickling is
not called, because it trusts its input.
"""

import io
import math
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from fedssl.errors import UserError

# A damaged or hostile pickle can raise any of these.
_PICKLE_ERRORS = (
    *(pickle.UnpicklingError, EOFError, ValueError, IndexError, TypeError, KeyError),
    *(AttributeError, OverflowError, MemoryError, RecursionError),
)


class _Array:
    """Stand-in for an array; its state is (version, shape, dtype, Fortran order, bytes)."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """Return the array; raise ValueError or TypeError if it is not an array of bytes."""
        _, shape, kind, fortran, data = self.state
        if not isinstance(kind, _Dtype) or kind.code != "u1" or fortran:
            raise ValueError("an array is not one of bytes in C order")
        # Python 2 pickled bytes as str. They were decoded as latin1, which maps every byte to one
        # character and back.
        content = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(content, bytes) or len(content) != math.prod(shape):
            raise ValueError("an array does not hold as many bytes as its shape says")
        return np.frombuffer(content, np.uint8).reshape(shape)


class _Dtype:
    """Stand-in for a dtype, which keeps its type code."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    # Without this method, pickle would let the state overwrite the attributes.
    def __setstate__(self, state: Any) -> None:
        pass


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}


class _Unpickler(pickle.Unpickler):
    """An unpickler that resolves only the names that a pickled array needs."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError as error:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from error


def unpickle(data: bytes, where: str) -> dict[str, Any]:
    """Return the dict in a Python 2 pickle, with byte arrays as read-only NumPy arrays.

    Raises:
        UserError: the pickle contains anything else; the message starts with `where`.
    """
    try:
        content = _Unpickler(io.BytesIO(data), encoding="latin1").load()
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__} where a dict is needed")
        return {
            key: value.array() if isinstance(value, _Array) else value
            for key, value in content.items()
        }
    except _PICKLE_ERRORS as error:
        raise UserError(
            f"{where} is refused: only plain data and byte arrays are read ({error})"
        ) from error
