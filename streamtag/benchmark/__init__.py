"""Speed on this machine: each stage alone, the whole path on one core, and live streams through a real service."""

from streamtag.benchmark.report import Report, measure

__all__ = ["Report", "measure"]
