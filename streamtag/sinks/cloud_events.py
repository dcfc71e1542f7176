"""Messages of the wire as CloudEvents 1.0 (https://github.com/cloudevents/spec), structured: pure, no I/O."""

import json
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

__all__ = ["CONTENT_TYPE", "CloudEvent", "cloud_event"]

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


def cloud_event(header: dict[str, Any], service: str) -> CloudEvent | None:
    """Return what is told of a message, None where nothing is.

    Args:
        header: Of a message of any kind.
        service: The service's name.
    """
    kind = header["kind"]
    if kind == "event":
        return _of_event(header, service)
    return _of_state(header, service) if kind == "status" else None


def _of_event(header: dict[str, Any], service: str) -> CloudEvent:
    state, stream = header["state"], header["stream"]
    moment = header.get("onset_time") if state == "on" else header.get("offset_time")
    data = {
        key: header.get(key)
        for key in ("stream", "label", "id", "state", "onset", "offset", "peak", "onset_time", "offset_time")
    }
    id_ = f"{header['session']}-{stream}-{header['id']}-{state}"
    at = header["time"] if moment is None else moment
    body = _body(id_, service, stream, f"event.{state}", header["label"], at, {**data, "clip": None})
    return CloudEvent(id_, header["label"], body)


def _of_state(header: dict[str, Any], service: str) -> CloudEvent:
    stream = header["stream"]
    data = {key: header[key] for key in ("stream", "state", "reason", "since", "source")}
    id_ = f"{header['session']}-{stream}-{header['state']}-{round(header['since'] * 1000)}"
    return CloudEvent(id_, None, _body(id_, service, stream, "stream.state", header["state"], header["since"], data))


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
