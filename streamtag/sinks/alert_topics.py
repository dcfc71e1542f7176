"""What MQTT says of alerts: their topics, what is said of one that was told, and their entities in Home Assistant."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from streamtag.alerts.notice import AlertNotice
from streamtag.sinks.names import slugs

__all__ = ["NO_ALERTS", "AlertTopics"]

_TYPE: Final = "fired"


class AlertTopics(NamedTuple):
    """The topic of each alert that is sent to the broker.

    Attributes:
        by_name: The topic, by the alert's name.
    """

    by_name: Mapping[str, str]

    @classmethod
    def of(cls, base: str, names: Iterable[str]) -> "AlertTopics":
        """Return the topics of alerts, `base/alert/` and the name as it stands in topics."""
        return cls({name: f"{base}/alert/{short}" for name, short in slugs(names).items()})

    def payload(self, notice: AlertNotice) -> str:
        """Return what is said of an alert that was told, in the form of an event of Home Assistant's."""
        time, onset = (
            datetime.fromtimestamp(each, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            for each in (notice.time, notice.onset_time)
        )
        said = {
            "event_type": _TYPE,
            "alert": notice.alert,
            "stream": notice.stream,
            "what": notice.what,
            "value": None if notice.value is None else round(notice.value, 4),
            "time": time,
            "onset_time": onset,
            "id": notice.id,
            "clip": notice.clip_url,
        }
        return json.dumps(said, ensure_ascii=False)

    def entities(self, device: str) -> dict[str, Any]:
        """Return the components that announce them, with the ids of a device before theirs."""
        return {
            (id_ := f"{device}_alert_{topic.rpartition('/')[2]}"): {
                "platform": "event",
                "unique_id": id_,
                "name": f"Alert {name}",
                "state_topic": topic,
                "event_types": [_TYPE],
                "icon": "mdi:bell-ring",
            }
            for name, topic in self.by_name.items()
        }


NO_ALERTS: Final = AlertTopics({})
