"""Recordings tagged in processes of their own, where each may bring down no more than its own process."""

from streamtag.tagging.pool import CrashError, TaggingPool

__all__ = ["CrashError", "TaggingPool"]
