"""Messages of the wire as CloudEvents 1.0 (https://github.com/cloudevents/spec), structured: pure, no I/O."""

import json
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from streamtag.alerts.notice import AlertNotice
from streamtag.sinks.clip_links import ClipLink, no_clip
from streamtag.wire.messages import EventHeader, StatusHeader

__all__ = ["CONTENT_TYPE", "CloudEvent", "alert_event", "cloud_event"]

CONTENT_TYPE: Final = "application/cloudevents+json"
_PREFIX: Final = "org.streamtag"


class CloudEvent(NamedTuple):
    """What is told.

    Attributes:
        id: The same however often it is told.
        label: The event's label, None where it is of a stream's state.
        body: The JSON object.
    """

    id: str
    label: str | None
    body: str


def cloud_event(header: EventHeader | StatusHeader, service: str, clip: ClipLink = no_clip) -> CloudEvent:
    """Return what is told of an event, or of a stream's state.

    Args:
        header: The message's.
        service: The service's name.
        clip: Says where an event's recording is.
    """
    return _of_event(header, service, clip) if isinstance(header, EventHeader) else _of_state(header, service)


def alert_event(notice: AlertNotice, service: str) -> CloudEvent:
    """Return what is told of an alert; whoever is sent it takes it whatever labels they asked for."""
    data = {
        "alert": notice.alert,
        "stream": notice.stream,
        "what": notice.what,
        "value": notice.value,
        "onset_time": notice.onset_time,
        "clip": notice.clip_url,
    }
    body = _body(notice.id, service, notice.stream, "rule.fired", notice.alert, notice.time, data)
    return CloudEvent(notice.id, None, body)


def _of_event(header: EventHeader, service: str, clip: ClipLink) -> CloudEvent:
    state, stream = header.state, header.stream
    moment = header.onset_time if state == "on" else header.offset_time
    data = {
        key: getattr(header, key)
        for key in ("stream", "label", "id", "state", "onset", "offset", "peak", "onset_time", "offset_time")
    }
    id_ = f"{header.session}-{stream}-{header.id}-{state}"
    at = header.time if moment is None else moment
    body = _body(id_, service, stream, f"event.{state}", header.label, at, {**data, "clip": clip(header)})
    return CloudEvent(id_, header.label, body)


def _of_state(header: StatusHeader, service: str) -> CloudEvent:
    stream = header.stream
    data = {key: getattr(header, key) for key in ("stream", "state", "reason", "since", "source")}
    id_ = f"{header.session}-{stream}-{header.state}-{round(header.since * 1000)}"
    return CloudEvent(id_, None, _body(id_, service, stream, "stream.state", header.state, header.since, data))


def _body(id_: str, service: str, stream: str, kind: str, subject: str, at: float, data: dict[str, Any]) -> str:
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(
        {
            "specversion": "1.0",
            "id": id_,
            "source": f"/streamtag/{service}/{stream}",
            "type": f"{_PREFIX}.{kind}",
            "subject": subject,
            "time": time,
            "datacontenttype": "application/json",
            "data": data,
        },
        ensure_ascii=False,
    )
