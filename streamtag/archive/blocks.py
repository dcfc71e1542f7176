"""Recordings cut into blocks, each about a minute of work: what a cluster does in one go, and does again when lost."""

import os
from collections.abc import Sequence
from typing import Final

from streamtag.archive.inputs import Recording

__all__ = ["blocks_of"]

_BLOCK_SECONDS: Final = 60.0
_BLOCKS_EACH: Final = 8
"""So many at least for each process, where that leaves them a second of work: what is lost is done again."""
_LEAST_SECONDS: Final = 1.0
_EACH_SECONDS: Final = 0.02
_PLAIN: Final = frozenset({".aif", ".aifc", ".aiff", ".au", ".bwf", ".caf", ".rf64", ".snd", ".w64", ".wav", ".wave"})
_LOSSLESS: Final = frozenset({".ape", ".flac", ".tak", ".tta", ".wv"})
_PLAIN_RATE, _LOSSLESS_RATE, _LOSSY_RATE = 50e6, 30e6, 8e6
"""Bytes that a core decodes and scores in a second, about: a factor of three either way does no harm."""


def blocks_of(todo: Sequence[Recording], processes: int) -> list[list[Recording]]:
    """Return recordings cut into blocks of about equal work, in their order.

    Args:
        todo: the recordings.
        processes: how many blocks are done at a time.
    """
    work = [_work(recording) for recording in todo]
    longest = min(_BLOCK_SECONDS, max(_LEAST_SECONDS, sum(work) / (_BLOCKS_EACH * processes)))
    blocks: list[list[Recording]] = []
    filled = longest
    for recording, seconds in zip(todo, work, strict=True):
        if filled + seconds > longest and filled > 0:
            blocks.append([])
            filled = 0.0
        blocks[-1].append(recording)
        filled += seconds
    return blocks


def _work(recording: Recording) -> float:
    suffix = os.path.splitext(recording.path)[1].lower()
    rate = _PLAIN_RATE if suffix in _PLAIN else _LOSSLESS_RATE if suffix in _LOSSLESS else _LOSSY_RATE
    return _EACH_SECONDS + (recording.state.bytes or 0) / rate
