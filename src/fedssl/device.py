"""Choose the device of a job and make its computations repeatable bit for bit."""

import os

import torch

from fedssl.errors import UserError
from fedssl.gpus import GPU_CORES
from fedssl.portable import LIMITS, limits


def prepare_device(
    threads: int, *, precision: str = "fp32", portable: bool = False
) -> torch.device:
    """Return the GPU if there is one, else the CPU, and set the number of torch threads.

    The number of threads is a setting of the cell and does not follow `--cores`: one and two
    threads sum in a different order, which gives different bits. On a GPU they compute nothing, so
    the setting is not used. Under the precision `tf32` a GPU multiplies matrices and convolves in
    TF32; a CPU has no TF32 and computes in fp32.

    Raises:
        UserError: The job is `portable`, but its libraries use another instruction set than AVX2.
    """
    if portable:
        _check_portable()
    if not torch.cuda.is_available():
        torch.set_num_threads(threads)
        return torch.device("cpu")
    torch.set_num_threads(GPU_CORES)
    # cuBLAS is deterministic only with a fixed workspace, and reads this when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Benchmark mode picks the fastest kernel of the moment, and kernels differ in their bits.
    torch.backends.cudnn.benchmark = False
    # By default cuDNN computes fp32 convolutions in TF32, which keeps only 10 mantissa bits.
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    # Only warn: some operations have no deterministic kernel on a GPU, and an error would make
    # those cells impossible to run.
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch.device("cuda")


def _check_portable() -> None:
    missing = [f"{name}={value}" for name, value in LIMITS.items() if limits().get(name) != value]
    if missing:
        raise UserError(
            f"portable is true, but the job was started without {' '.join(missing)}; start it with "
            "snakemake, or set these variables before Python starts."
        )
    if (found := torch.backends.cpu.get_cpu_capability()) != "AVX2":
        raise UserError(
            f"portable is true, but torch uses the instruction set {found} on this CPU; run on an "
            "x86-64 CPU with AVX2, or set portable to false."
        )
