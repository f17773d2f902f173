"""Hold the numerical libraries to one instruction set, so that CPUs with AVX2 compute alike."""

import os

# Libraries read these when they are loaded, so they must be set before a job starts. MKL is the
# only library that slows down: of its branches only COMPATIBLE runs on CPUs of every vendor. On
# AMD, MKL ignores MKL_CBWR=AVX2 and keeps its own kernels, whose bits differ from Intel's. NumPy
# can only be told which instruction sets it must not use.
LIMITS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions of torch
    "MKL_CBWR": "COMPATIBLE",  # matrix products of torch
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",  # linear algebra of NumPy and SciPy
}


def limits() -> dict[str, str]:
    """Return the variables of `LIMITS` that are set, with their values."""
    return {name: os.environ[name] for name in LIMITS if name in os.environ}
