"""Tensors in memory that the processes of a job share.

A pipe would copy them five times. The memory is not part of /dev/shm, which is small in many
containers, and the kernel frees it when no process uses it any more.
"""

import math
import mmap
import os
import weakref
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

State = dict[str, Tensor]
_ALIGNED = 64  # bytes, at least the size of an element


class Memory:
    """Memory that grows with what is written to it, for as long as this object lives.

    Attributes:
        path: the name by which other processes of the same user open it.
    """

    def __init__(self) -> None:
        """Start empty."""
        descriptor = os.memfd_create("tensors")
        self.path = f"/proc/{os.getpid()}/fd/{descriptor}"
        weakref.finalize(self, os.close, descriptor)


class Place(NamedTuple):
    """The place of a tensor in a memory.

    Attributes:
        offset: of its first element, in bytes.
        dtype: of its elements.
        shape: with the dimensions in the order in which they lie in memory.
        order: the tensor's dimensions in that order.
    """

    offset: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    order: tuple[int, ...]


class Message(NamedTuple):
    """The path of a memory, and the places of the tensors of each state in it."""

    path: str
    states: list[dict[str, Place]]


def write(path: str, *states: Mapping[str, Tensor]) -> Message:
    """Write states to the start of a memory, and return what `read` needs to find them."""
    places: list[dict[str, Place]] = []
    with open(path, "r+b") as file:
        for state in states:
            places.append({})
            for name, tensor in state.items():
                # As it lies in memory: another order would cost more time than the copy.
                order = tuple(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))
                dense = tensor.detach().cpu().permute(order).contiguous()
                offset = file.seek(-(-file.tell() // _ALIGNED) * _ALIGNED)
                file.write(dense.reshape(-1).view(torch.uint8).numpy().data)
                places[-1][name] = Place(offset, tensor.dtype, tuple(dense.shape), order)
    return Message(path, places)


def read(message: Message) -> list[State]:
    """Return the states of a message. Their tensors lie in its memory, and keep all of it.

    Changes of these tensors are seen by no other process.
    """
    if not any(message.states):
        return [{} for _ in message.states]
    with open(message.path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return [{n: _tensor(memory, place) for n, place in s.items()} for s in message.states]


def _tensor(memory: mmap.mmap, place: Place) -> Tensor:
    if 0 in place.shape:  # `frombuffer` refuses to read nothing
        dense = torch.empty(place.shape, dtype=place.dtype)
    else:
        count = math.prod(place.shape)
        dense = torch.frombuffer(memory, dtype=place.dtype, count=count, offset=place.offset)
    return dense.view(place.shape).permute([place.order.index(d) for d in range(len(place.order))])
