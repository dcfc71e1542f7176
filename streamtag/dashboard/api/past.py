"""Events of before: from the history, or where none is kept from what was told since the page began."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from streamtag.dashboard.api.feed import Feed, Told
from streamtag.dashboard.api.models import Event, Events
from streamtag.history import HistoryReader, StoredEvent, event_id, read_event_id
from streamtag.settings import Config
from streamtag.wire import EventHeader

__all__ = ["ROOT", "Notice", "Past", "notice"]

ROOT: Final = "/api/v1"
_MOST_REPLAYED: Final = 10_000
_OVERLAP_SECONDS: Final = 60.0
"""Onsets are not told in the order of their times: so much earlier ones may have come later."""
_LONGEST_SECONDS: Final = 3600.0
"""Events that began so long before may have ended since."""


class Notice(NamedTuple):
    """An onset or an end, under a name that whoever lost the connection may go on from."""

    id: str
    event: Event


class Past:
    """Answers about events of before; reads the history anew for each question.

    Raises:
        HistoryError: From each question: there is no history yet, or it cannot be read.
    """

    def __init__(self, feed: Feed, config: Config) -> None:
        self._feed = feed
        self._reader = HistoryReader(Path(config.history.path)) if config.history.path else None

    def search(self, *, label: str, stream: str, since: float | None, until: float | None, limit: int) -> Events:
        """Return at most `limit` events, newest first; `since` and `until` in Unix seconds of the onset."""
        if self._reader is None:
            told = _pair(self._feed.events())
            found = [
                event
                for event in sorted(told, key=lambda event: event.onset_time, reverse=True)
                if (not label or event.label == label)
                and (not stream or event.stream == stream)
                and (since is None or event.onset_time >= since)
                and (until is None or event.onset_time <= until)
            ]
            return Events(events=found[:limit], more=len(found) > limit, source="memory")
        stored = self._reader.search(label=label, stream=stream, since=since, until=until, limit=limit + 1)
        events = [_of_stored(each) for each in stored[:limit]]
        return Events(events=events, more=len(stored) > limit, source="history")

    def after(self, last: str, told: Sequence[Told], *, with_clips: bool) -> list[Notice]:
        """Return what came after the notice named `last`: one may be among it that was told before it.

        Args:
            last: Its name; of a name that is none nothing is known.
            told: What the feed has.
            with_clips: Whether recordings are kept.
        """
        notices = [notice(each.header, with_clips=with_clips) for each in told]
        index = next((number for number, each in enumerate(notices) if each.id == last), None)
        if index is not None:
            return notices[index + 1 :]
        name, _, state = last.rpartition("~")
        known = read_event_id(name)
        if known is None or state not in ("on", "off"):
            return []
        # The page began anew since, or it is long ago.
        since = known.milliseconds / 1000 - _OVERLAP_SECONDS
        names = {each.id for each in notices}
        stored = [each for each in self._stored_since(since) if each.id not in names and each.id != last]
        return [*stored, *notices]

    def clip(self, name: str) -> Path | None:
        """Return the file of an event's recording, None where there is none."""
        known = read_event_id(name)
        if known is None or self._reader is None:
            return None
        around = known.milliseconds / 1000
        stored = self._reader.search(stream=known.stream, since=around - 0.001, until=around + 0.001)
        found = next((each for each in stored if known.fits(each.label, each.time)), None)
        return None if found is None else self._reader.clip(found.id)

    def _stored_since(self, since: float) -> list[Notice]:
        if self._reader is None:
            return []
        notices: list[tuple[float, Notice]] = []
        for stored in self._reader.search(since=since - _LONGEST_SECONDS, limit=_MOST_REPLAYED):
            ended = _of_stored(stored)
            began = ended.model_copy(update={"state": "on", "offset_time": None, "offset": None})
            if began.onset_time >= since:
                notices.append((began.onset_time, Notice(f"{began.id}~on", began)))
            if ended.offset_time is not None and ended.offset_time >= since:
                notices.append((ended.offset_time, Notice(f"{ended.id}~off", ended)))
        return [each for _, each in sorted(notices, key=lambda timed: timed[0])]


def notice(header: EventHeader, *, with_clips: bool) -> Notice:
    """Return what is told of an onset or an end, whose header has `onset_time`."""
    event = _of_message(header)
    if with_clips:
        event.clip = f"{ROOT}/clips/{event.id}"
    return Notice(f"{event.id}~{event.state}", event)


def _pair(told: Sequence[Told]) -> list[Event]:
    """Return each event once, as it was told last."""
    newest = {(header.session, header.stream, header.id): header for _, header in told}
    return [_of_message(header) for header in newest.values()]


def _of_message(header: EventHeader) -> Event:
    assert header.onset_time is not None
    return Event(
        id=event_id(header.stream, header.label, header.onset_time),
        stream=header.stream,
        label=header.label,
        state="on" if header.state == "on" else "off",  # a later service may know more
        onset_time=header.onset_time,
        offset_time=header.offset_time,
        onset=header.onset,
        offset=header.offset,
        peak=header.peak,
        clip=None,
    )


def _of_stored(stored: StoredEvent) -> Event:
    name = event_id(stored.stream, stored.label, stored.time)
    state: Literal["on", "off"] = "on" if stored.is_on else "off"
    return Event(
        id=name,
        stream=stored.stream,
        label=stored.label,
        state=state,
        onset_time=stored.time,
        offset_time=None if stored.offset is None else stored.time + stored.offset - stored.onset,
        onset=stored.onset,
        offset=stored.offset,
        peak=stored.peak,
        clip=f"{ROOT}/clips/{name}" if stored.has_clip else None,
    )
