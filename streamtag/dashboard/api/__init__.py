"""What programs read over HTTP, below `/api/v1/`: streams, events past and as they come, labels, clips."""

from streamtag.dashboard.api.application import Api

__all__ = ["Api"]
