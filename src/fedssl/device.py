"""Choose the device of a job and make its computations repeatable bit for bit."""

import os

import torch


def prepare_device(threads: int, *, precision: str = "fp32") -> torch.device:
    """Return the GPU if there is one, else the CPU, and set the number of torch threads.

    The number of threads is a setting of the cell and does not follow `--cores`: one and two
    threads sum in a different order, which gives different bits. Under the precision `tf32` a GPU
    multiplies matrices and convolves in TF32; a CPU has no TF32 and computes in fp32.
    """
    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        return torch.device("cpu")
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
