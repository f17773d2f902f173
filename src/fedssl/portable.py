"""Hold the numerical libraries to one instruction set, so that CPUs with AVX2 compute alike."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Libraries read these when they are loaded, so they must be set before a job starts. MKL is the
# only library that they slow down: of its branches, only COMPATIBLE runs on CPUs of every vendor.
# On AMD, MKL ignores MKL_CBWR=AVX2 and keeps its own kernels, whose bits differ from Intel's.
# NumPy can only be told which instruction sets it must not use.
LIMITS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions of torch
    "MKL_CBWR": "COMPATIBLE",  # matrix products and Fourier transforms of torch
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",  # linear algebra of NumPy and SciPy
}


def limits() -> dict[str, str]:
    """Return the variables of `LIMITS` that are set, with their values."""
    return {name: os.environ[name] for name in LIMITS if name in os.environ}


def sqrt(values: "Tensor") -> "Tensor":
    """Return the square root; on the CPU of a portable job, the correctly rounded one.

    torch takes square roots from MKL, which refines an approximation that AMD and Intel implement
    differently. NumPy uses the exact instruction.
    """
    if limits() != LIMITS or values.is_cuda:
        return values.sqrt()
    # Libraries must be loaded after the limits are set, so not where this module is imported.
    import numpy as np

    roots = values.clone()
    np.sqrt(values.numpy(), out=roots.numpy())
    return roots
