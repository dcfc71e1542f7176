"""What announces a service and its streams to Home Assistant: the payloads of MQTT device discovery.

Source: Home Assistant's documentation of its MQTT integration, "Device discovery payload".
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from streamtag.sinks.names import marked

__all__ = ["SUPPORT_URL", "service_device", "stream_device"]

SUPPORT_URL: Final = "https://github.com/streamtag/streamtag"
_STATES: Final = ("starting", "live", "paused", "reconnecting", "stalled", "ended", "failed")
_SMOKE: Final = frozenset({"smoke detector, smoke alarm", "fire alarm"})


def service_device(base: str, service: str, version: str) -> dict[str, Any]:
    """Return the payload of the service's device.

    Args:
        base: What its topics begin with, such as "streamtag/cellar".
        service: Its name.
        version: The program's.
    """
    device = f"streamtag_{service}"
    topic = f"{base}/service"
    return {
        "device": {
            "identifiers": [device],
            "name": f"Streamtag {service}",
            "manufacturer": "Streamtag",
            "model": "tagger",
            "sw_version": version,
        },
        "origin": _origin(version),
        "availability": [{"topic": f"{base}/status"}],
        "components": {
            f"{device}_live": _figure(f"{device}_live", "Live streams", topic, "live", "measurement"),
            f"{device}_dropped": _figure(f"{device}_dropped", "Dropped patches", topic, "dropped", "total_increasing"),
        },
    }


def stream_device(
    base: str,
    service: str,
    version: str,
    stream: str,
    name: str,
    labels: Mapping[str, str],
    *,
    longer_names: Iterable[str],
    can_be_paused: bool,
) -> dict[str, Any]:
    """Return the payload of a stream's device.

    Args:
        base: What the service's topics begin with.
        service: Its name.
        version: The program's.
        stream: The stream's id.
        name: The same as it stands in topics.
        labels: The labels that get entities, and how each stands in topics.
        longer_names: Names in topics of other streams that begin with this one's and an underscore.
        can_be_paused: Whether the service takes requests.
    """
    device = f"streamtag_{service}_{name}"
    topic = f"{base}/{name}"
    of_service = {"topic": f"{base}/status"}
    components: dict[str, Any] = {
        f"{device}_level": {
            "platform": "sensor",
            "unique_id": f"{device}_level",
            "name": "Level",
            "state_topic": f"{topic}/level",
            "unit_of_measurement": "dBFS",  # no device class: sound_pressure takes dB and dBA alone
            "state_class": "measurement",
            "suggested_display_precision": 0,
            "expire_after": 30,
            "entity_category": "diagnostic",
        },
        f"{device}_state": {
            "platform": "sensor",
            "unique_id": f"{device}_state",
            "name": "State",
            "state_topic": f"{topic}/state",
            "device_class": "enum",
            "options": list(_STATES),
            "availability": [of_service],
            "availability_mode": "all",
            "entity_category": "diagnostic",
        },
    }
    if can_be_paused:
        components[f"{device}_enabled"] = {
            "platform": "switch",
            "unique_id": f"{device}_enabled",
            "name": "Enabled",
            "state_topic": f"{topic}/enabled",
            "command_topic": f"{topic}/enabled/set",
            "availability": [of_service],
            "availability_mode": "all",
            "entity_category": "config",
            "icon": "mdi:microphone",
        }
    if labels:
        components[f"{device}_heard"] = {
            "platform": "event",
            "unique_id": f"{device}_heard",
            "name": "Heard",
            "state_topic": f"{topic}/event",
            "event_types": list(labels),
            "icon": "mdi:ear-hearing",
        }
    for label, short in labels.items():
        id_ = f"{device}_{short}"
        # The names of those above are taken, and "a_b" with "c" must not be "a" with "b_c".
        if id_ in components or any(id_.startswith(f"streamtag_{service}_{longer}_") for longer in longer_names):
            id_ = marked(id_, f"{name}/{label}", components)
        components[id_] = {
            "platform": "binary_sensor",
            "unique_id": id_,
            "name": label,
            "state_topic": f"{topic}/label/{short}",
            "json_attributes_topic": f"{topic}/label/{short}/attributes",
            "device_class": "smoke" if label.lower() in _SMOKE else "sound",
        }
    return {
        "device": {
            "identifiers": [device],
            "name": stream.replace("_", " ").replace(".", " ").strip().capitalize() or stream,
            "manufacturer": "Streamtag",
            "model": "audio stream",
            "via_device": f"streamtag_{service}",
        },
        "origin": _origin(version),
        "availability": [of_service, {"topic": f"{topic}/status"}],
        "availability_mode": "all",
        "components": components,
    }


def _origin(version: str) -> dict[str, str]:
    return {"name": "streamtag", "sw_version": version, "support_url": SUPPORT_URL}


def _figure(id_: str, name: str, topic: str, key: str, kind: str) -> dict[str, str]:
    return {
        "platform": "sensor",
        "unique_id": id_,
        "name": name,
        "state_topic": topic,
        "value_template": f"{{{{ value_json.{key} }}}}",
        "state_class": kind,
        "entity_category": "diagnostic",
    }
