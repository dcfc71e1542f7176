"""Resampling, log-mel, cutting into patches and levels: pure, without input or output."""

from streamtag.audio.block import Block, Samples
from streamtag.audio.frontend import (
    BANDS,
    FRAMES,
    HOP,
    PATCH_HOP,
    PATCH_SAMPLES,
    SAMPLE_RATE,
    WINDOW,
    FrontEnd,
    log_mel,
    log_mel_windows,
)
from streamtag.audio.geometry import LOG_MEL_GEOMETRY, Geometry
from streamtag.audio.patches import Patch, Patcher
from streamtag.audio.resample import Resampler

__all__ = [
    "BANDS",
    "FRAMES",
    "HOP",
    "LOG_MEL_GEOMETRY",
    "PATCH_HOP",
    "PATCH_SAMPLES",
    "SAMPLE_RATE",
    "WINDOW",
    "Block",
    "FrontEnd",
    "Geometry",
    "Patch",
    "Patcher",
    "Resampler",
    "Samples",
    "log_mel",
    "log_mel_windows",
]
