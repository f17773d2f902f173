"""The device a job computes on, set up so that the same inputs give the same bits."""

import os

import torch


def prepare_device(threads: int) -> torch.device:
    """Return the GPU where there is one, else the CPU; fix the number of torch threads.

    The number of threads is a cell's setting and not `--cores`, because one and two threads sum
    in a different order.
    """
    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # fp32 means it, in convolutions too
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch.device("cuda")
