"""Many streams at once: queues, batches across streams, start, reload and stop."""

from streamtag.engine.service import Service

__all__ = ["Service"]
