"""Processes that compute parts of a job."""

import os
import signal
from multiprocessing import parent_process
from threading import Thread


def follow_parent() -> None:
    """Let this process ignore Ctrl-C, and end when its parent ends, for whatever reason.

    Otherwise workers would outlive a job that is killed, and wait for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
