"""What a process computes with, threads and memory, and workers that do not outlive whoever started them."""

import ctypes
import multiprocessing
import os
import sys
import threading
from multiprocessing.process import BaseProcess

from threadpoolctl import threadpool_limits

__all__ = ["end_with_parent", "keep_memory", "limit_threads"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of glibc's `malloc.h`."""


def limit_threads(count: int) -> None:
    """Let no library of this process compute with more threads: neither torch nor what NumPy and scikit-learn use."""
    import torch  # a process that only ends with its parent needs none

    torch.set_num_threads(count)
    threadpool_limits(count)


def keep_memory() -> None:
    """Let glibc keep what this process frees: each step of training asks for the same tensors again.

    Else large ones go back to the system each time, and their pages are made anew: a tenth to a fifth of a step on a
    CPU.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone: nobody reads what it works on.

    As the initializer of a pool; a pool alone lets its workers finish what they have begun, beside those of a new run.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "this process was not started by another one's multiprocessing"
    threading.Thread(target=_end_after, args=[parent], name="end-with-parent", daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
