"""The recordings that go along with alerts: those that the history keeps, once it has them."""

from pathlib import Path
from typing import Final

from streamtag.alerts.notice import AlertNotice
from streamtag.errors import HistoryError
from streamtag.history import HistoryReader
from streamtag.settings import HistorySettings

__all__ = ["Recordings"]

_WRITTEN_SECONDS: Final = 4.0
_SAME_SECONDS: Final = 0.01


class Recordings:
    """Finds the recording of what an alert tells of.

    Attributes:
        wait_seconds: How long after an onset its recording may still come.
    """

    def __init__(self, settings: HistorySettings) -> None:
        has_clips = settings.path is not None and settings.clips
        self.wait_seconds = settings.clip_seconds + _WRITTEN_SECONDS if has_clips else 0.0
        self._reader = HistoryReader(Path(settings.path)) if settings.path is not None and settings.clips else None

    def find(self, notice: AlertNotice) -> Path | None:
        """Return the file of the recording, None where there is none, or none yet."""
        if self._reader is None:
            return None
        at = notice.onset_time
        try:
            events = self._reader.search(stream=notice.stream, since=at - _SAME_SECONDS, until=at + _SAME_SECONDS)
            found = next((event for event in events if event.label == notice.what and event.has_clip), None)
            return None if found is None else self._reader.clip(found.id)
        except HistoryError:
            return None
