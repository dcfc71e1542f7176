"""What MQTT says of a service: messages of the wire in, topics and payloads out; knows no client and no clock."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from streamtag.sinks.alert_topics import NO_ALERTS, AlertTopics
from streamtag.sinks.clip_links import ClipLink, no_clip
from streamtag.sinks.home_assistant import service_device, stream_device
from streamtag.sinks.names import slugs, stream_slugs
from streamtag.wire.messages import EventHeader, Header, ScoresHeader, ServiceHeader, StatusHeader

__all__ = ["Board", "Note"]

_LEVEL_SECONDS: Final = 10.0
_SERVICE_SECONDS: Final = 30.0
_GONE_SECONDS: Final = 10.0
_AWAY_SECONDS: Final = 15.0
_SILENCE: Final = -120.0


class Note(NamedTuple):
    """Something that is said once and not kept: an event has `qos` 1."""

    topic: str
    payload: str
    qos: int


class Board:
    """What every retained topic says now, and what is said once.

    Attributes:
        kept: Payload of each retained topic.
        known_since: When the service was heard first: some time later, what is not in `kept` is gone.
    """

    def __init__(
        self,
        *,
        base: str,
        service: str,
        discovery: str,
        labels: tuple[str, ...],
        began: float,
        clip: ClipLink = no_clip,
        alerts: AlertTopics = NO_ALERTS,
    ) -> None:
        """Begin with nothing heard.

        Args:
            base: What the service's topics begin with, such as "streamtag/cellar".
            service: Its name.
            discovery: What Home Assistant's topics begin with; empty: it is told nothing.
            labels: The labels that have topics.
            began: Unix seconds; an event that was told before is no news.
            clip: Says where an event's recording is.
            alerts: The topics of alerts.
        """
        self._alerts = alerts
        self.kept: dict[str, str] = {f"{base}/status": "offline"}
        self.known_since = float("inf")
        self._base = base
        self._service = service
        self._discovery = discovery
        self._labels = slugs(labels)
        self._began = began
        self._heard_at = float("-inf")
        self._streams: dict[str, str] = {}
        self._absent: dict[str, float] = {}
        self._first: set[str] = set()
        self._levels: dict[str, float] = {}
        self._level_due: float | None = None
        self._service_due = 0.0
        self._lost: dict[str, int] = {}
        self._version = ""
        self._states: dict[str, str] = {}
        self._paused: set[str] = set()
        self._takes_requests = False
        self._clip = clip

    def hear(self, header: Header, now: float) -> Iterator[Note]:
        """Take in a message's header; yield what is said once.

        Args:
            header: Of a message of any kind.
            now: Seconds of a clock that only goes forwards.
        """
        match header:
            case ServiceHeader():
                self._hear_service(header, now)
            case StatusHeader():
                self._hear_status(header)
            case ScoresHeader():
                self._levels[header.stream] = max(self._levels.get(header.stream, _SILENCE), header.rms_dbfs)
                self._lost[header.stream] = header.lost_samples
            case EventHeader():
                yield from self._hear_event(header)

    def look(self, now: float) -> Iterator[Note]:
        """Yield what is due; the service that was not heard for long is offline, and streams that left it are gone."""
        status = "online" if now - self._heard_at < _AWAY_SECONDS else "offline"
        self.kept[f"{self._base}/status"] = status
        for stream in [stream for stream, since in self._absent.items() if now - since >= _GONE_SECONDS]:
            del self._absent[stream]
            if status == "online":
                self._forget(stream)
        if self._level_due is None:
            self._level_due = now + _LEVEL_SECONDS
        if now >= self._level_due:
            self._level_due = now + _LEVEL_SECONDS
            for stream, level in self._levels.items():
                if stream in self._streams:
                    yield Note(f"{self._topic(stream)}/level", f"{level:.1f}", 0)
            self._levels.clear()

    def stream_of(self, name: str) -> str | None:
        """Return the stream that stands under a name in topics."""
        return next((stream for stream, each in self._streams.items() if each == name), None)

    def end(self) -> None:
        """Say that nobody tells any more."""
        self.kept[f"{self._base}/status"] = "offline"
        for stream in self._streams:
            self._all_off(stream)

    def _hear_service(self, header: ServiceHeader, now: float) -> None:
        private = set(header.private)
        streams = [stream for stream in header.streams if stream not in private]
        if (header.version, header.input is not None) != (self._version, self._takes_requests):
            self._version, self._takes_requests = header.version, header.input is not None
            self._announce_all()
        for stream in streams:
            self._absent.pop(stream, None)
            self._add(stream)
        for stream in self._streams.keys() - streams:
            self._absent.setdefault(stream, now)
        self._heard_at, self.known_since = now, min(now, self.known_since)
        if now >= self._service_due:
            self._service_due = now + _SERVICE_SECONDS
            states = header.states
            self.kept[f"{self._base}/service"] = json.dumps(
                {
                    "live": states.get("live", 0),
                    "streams": len(streams),
                    "dropped": header.dropped_patches,
                    "lost_seconds": round(sum(self._lost.values()) / 16_000, 3),
                    "sustainable": header.sustainable_streams,
                    "version": header.version,
                }
            )

    def _hear_status(self, header: StatusHeader) -> None:
        stream, state = header.stream, header.state
        self._add(stream)
        self._lost[stream] = header.lost_samples
        topic = self._topic(stream)
        (self._paused.add if header.paused else self._paused.discard)(stream)
        self.kept[f"{topic}/enabled"] = "OFF" if header.paused else "ON"
        if self._states.get(stream) == state:
            return
        self._states[stream] = state
        self.kept[f"{topic}/state"] = state
        self.kept[f"{topic}/status"] = "online" if state == "live" else "offline"
        if state != "live":
            self._all_off(stream)

    def _hear_event(self, header: EventHeader) -> Iterator[Note]:
        stream, label = header.stream, header.label
        is_old = stream not in self._first and header.time < self._began
        self._first.add(stream)
        short = self._labels.get(label)
        if short is None:
            return
        self._add(stream)
        topic, is_on = self._topic(stream), header.state == "on"
        id_ = f"{header.session}-{stream}-{header.id}"
        at = f"{topic}/label/{short}"
        clip = self._clip(header)
        told = {"label": label, "peak": header.peak, "onset": header.onset, "offset": header.offset}
        # What comes last in the dictionary is sent last: who is switched by the state finds its attributes there.
        self.kept.pop(at, None)
        self.kept[f"{at}/attributes"] = json.dumps({**told, "id": id_, "clip": clip}, ensure_ascii=False)
        self.kept[at] = "ON" if is_on else "OFF"
        if is_old:
            return  # the service repeats its newest to whoever begins to listen
        moment = header.onset_time if is_on else header.offset_time
        payload = {
            "event_type": label,
            "stream": stream,
            "id": id_,
            "session": header.session,
            "state": header.state,
            "score": header.peak,
            "onset": header.onset,
            "offset": header.offset,
            "time": _time(header.time if moment is None else moment),
            "clip": clip,
        }
        end = "" if is_on else "/end"
        yield Note(f"{topic}/event{end}", json.dumps(payload, ensure_ascii=False), 1)

    def _add(self, stream: str) -> None:
        if stream in self._streams:
            return
        before = dict(self._streams)
        self._streams = stream_slugs([*before, stream])
        moved = {other: name for other, name in before.items() if self._streams[other] != name}
        for other, name in moved.items():
            self._drop(other, name)
        for each in (*moved, stream):  # after all, since one may now be called as another was
            self._begin(each)
        for other, name in self._streams.items():
            if other != stream and self._streams[stream].startswith(f"{name}_"):
                self._announce(other)

    def _begin(self, stream: str) -> None:
        topic = self._topic(stream)
        state = self._states.setdefault(stream, "starting")
        self.kept[f"{topic}/state"] = state
        self.kept[f"{topic}/status"] = "online" if state == "live" else "offline"
        self.kept[f"{topic}/enabled"] = "OFF" if stream in self._paused else "ON"
        for short in self._labels.values():
            self.kept[f"{topic}/label/{short}/attributes"] = "{}"
        self._all_off(stream)
        self._announce(stream)

    def _all_off(self, stream: str) -> None:
        for short in self._labels.values():
            self.kept[f"{self._topic(stream)}/label/{short}"] = "OFF"

    def _forget(self, stream: str) -> None:
        self._drop(stream, self._streams.pop(stream))
        for table in (self._states, self._levels, self._lost):
            table.pop(stream, None)
        self._paused.discard(stream)

    def _drop(self, stream: str, name: str) -> None:
        """Take away all that was said of a stream under this name."""
        gone = f"{self._base}/{name}/"
        config = self._config(name)
        self.kept = {topic: said for topic, said in self.kept.items() if not topic.startswith(gone) and topic != config}

    def _announce_all(self) -> None:
        if self._discovery:
            name = f"streamtag_{self._service}"
            device = service_device(self._base, self._service, self._version)
            device["components"] |= self._alerts.entities(name)
            self.kept[f"{self._discovery}/device/{name}/config"] = json.dumps(device, ensure_ascii=False)
        for stream in self._streams:
            self._announce(stream)

    def _announce(self, stream: str) -> None:
        if not self._discovery or not self._version:
            return
        name = self._streams[stream]
        device = stream_device(
            self._base,
            self._service,
            self._version,
            stream,
            name,
            self._labels,
            longer_names=[other for other in self._streams.values() if other.startswith(f"{name}_")],
            can_be_paused=self._takes_requests,
        )
        self.kept[self._config(name)] = json.dumps(device, ensure_ascii=False)

    def _config(self, name: str) -> str:
        return f"{self._discovery}/device/streamtag_{self._service}_{name}/config"

    def _topic(self, stream: str) -> str:
        return f"{self._base}/{self._streams[stream]}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
