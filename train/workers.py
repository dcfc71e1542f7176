"""Worker processes that do not outlive whoever started them."""

import multiprocessing
import os
import threading
from multiprocessing.process import BaseProcess

__all__ = ["end_with_parent"]


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
