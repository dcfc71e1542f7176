"""Each attack in a process of its own, which may hang or fail as it likes."""

import logging
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from typing import Final

from scripts.attack import page, wire
from scripts.attack.target import Target

__all__ = ["ATTACKS", "carry_out"]

_TIMEOUT_SECONDS: Final = 120.0
"""To begin, and to end: an attacker has what is left of the processor."""
ATTACKS: Final[dict[str, Callable[[Target, float, random.Random], int]]] = {**wire.ATTACKS, **page.ATTACKS}
"""What is done, by what it is called: it is told against whom, until when, and returns how often it tried."""


def carry_out(name: str, target: Target, seconds: float, seed: int) -> int:
    """Attack for so long and return how often it was tried; 0 where the attacker itself gave up."""
    context = multiprocessing.get_context("spawn")
    counts = context.SimpleQueue()
    attacker = context.Process(target=_attack, args=(name, target, seconds, seed, counts), daemon=True)
    attacker.start()
    attacker.join(seconds + _TIMEOUT_SECONDS)
    if attacker.exitcode is None:
        attacker.kill()
        attacker.join()
    return 0 if counts.empty() else int(counts.get())


def _attack(name: str, target: Target, seconds: float, seed: int, counts: "multiprocessing.SimpleQueue[int]") -> None:
    os.nice(5)  # to take the processor away is no art
    logging.disable()  # libraries complain of how it is treated
    counts.put(ATTACKS[name](target, time.monotonic() + seconds, random.Random(seed)))
