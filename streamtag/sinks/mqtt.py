"""MQTT: states and events of streams for whoever subscribes at a broker, Home Assistant among them."""

import json
import logging
import random
import ssl
import sys
import threading
import time
from collections import deque
from typing import Any, Final

from streamtag.alerts.notice import AlertNotice
from streamtag.errors import ConfigError, StreamtagError
from streamtag.settings import Config, MqttSettings
from streamtag.sinks.alert_topics import AlertTopics
from streamtag.sinks.board import Board, Note
from streamtag.sinks.clip_links import clip_link
from streamtag.sinks.in_flight import InFlight
from streamtag.sinks.names import service_name
from streamtag.sinks.pausing import Pausing
from streamtag.sinks.secrets import read_secret
from streamtag.sinks.sink import Deliveries, SinkMessage
from streamtag.wire.messages import ServiceHeader

try:
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion
except ImportError as error:
    raise StreamtagError("[mqtt] needs the extra 'mqtt': pip install 'streamtag[mqtt]'") from error

__all__ = ["MqttSink", "open_sink"]

_KEEPALIVE_SECONDS: Final = 30
_MOST_WAITING: Final = 10_000
_GHOST_SECONDS: Final = 10.0
_BIRTH_SECONDS: Final = (1.0, 3.0)
_END_SECONDS: Final = 1.0
_MOST_ASKED: Final = 1000
_SWITCH_PAYLOADS: Final = {b"ON": False, b"OFF": True}
"""Whether a stream is to be paused."""

logger = logging.getLogger(__name__)


def open_sink(config: Config) -> "MqttSink":
    """Make the sink of a configuration that wants it."""
    assert config.mqtt is not None
    return MqttSink(config, config.mqtt)


class MqttSink:
    """Keeps a broker's topics as `Board` says, through every loss of the broker.

    Attributes:
        refused: Events that were left out because too many waited for the broker.
    """

    name = "mqtt"
    kinds = frozenset({"service", "status", "event", "scores", "alert"})

    def __init__(self, config: Config, settings: MqttSettings, ghost_seconds: float = _GHOST_SECONDS) -> None:
        """Prepare the client.

        Args:
            config: The whole configuration.
            settings: The sink's part of it.
            ghost_seconds: How long after the streams are known what an earlier configuration left is taken away.

        Raises:
            ConfigError: The file of the password or of the authority cannot be read.
        """
        self.refused = 0
        service = service_name(config.service.name)
        self._base = f"{settings.base}/{service}"
        self._service = service
        self._settings = settings
        self._ghost_seconds = ghost_seconds
        labels = tuple(config.events.labels) if settings.labels is None else settings.labels
        names = [alert.name for alert in config.alerts if "mqtt" in (alert.send or ())]
        self._alerts = AlertTopics.of(self._base, names)
        self._board = Board(
            base=self._base,
            service=service,
            discovery=settings.discovery,
            labels=labels,
            alerts=self._alerts,
            began=time.time(),
            clip=clip_link(config),
        )
        self._at = f"{settings.host}:{settings.port}"
        self._client = self._make_client(config)
        self._lock = threading.Lock()  # over what the client's thread tells
        self._found: dict[str, bytes] = {}  # retained topics of ours that the broker had
        self._greet = False
        self._greet_at = float("inf")
        self._clear_at = float("inf")
        self._shown: dict[str, str] = {}  # what the broker was given in this connection
        self._in_flight = InFlight()
        self._asked: deque[tuple[str, bool]] = deque(maxlen=_MOST_ASKED)  # names in topics, and whether to pause
        self._pausing: Pausing | None = None
        self._trouble = ""
        self._is_welcome = False

    def pause_by(self, pausing: Pausing) -> None:
        """Take note of how a stream is paused."""
        self._pausing = pausing

    def open(self) -> None:
        """Begin to connect; a broker that is not there is tried again and again."""
        try:
            self._client.connect_async(self._settings.host, self._settings.port, keepalive=_KEEPALIVE_SECONDS)
        except ValueError as error:
            raise StreamtagError(f"[mqtt] host: {error}") from error
        self._client.loop_start()

    def take(self, message: SinkMessage) -> None:
        """Take in a message."""
        header = message.header
        if isinstance(header, AlertNotice):
            topic = self._alerts.by_name.get(header.alert)
            if topic is not None:
                self._say(Note(topic, self._alerts.payload(header), 1))
            return
        if self._pausing is not None and isinstance(header, ServiceHeader):
            self._pausing.go_by(header.input)
        for note in self._board.hear(header, time.monotonic()):
            self._show()  # an automation that an event starts finds the states that belong to it
            self._say(note)

    def look(self) -> None:
        """Send what is due."""
        now = time.monotonic()
        for note in self._board.look(now):
            self._say(note)
        with self._lock:
            greet, self._greet = self._greet or now >= self._greet_at, False
            if greet:
                self._greet_at = float("inf")
                self._shown.clear()
            found: dict[str, bytes] = {}
            if now >= self._clear_at and now >= self._board.known_since + self._ghost_seconds:
                self._found, found = found, self._found
        self._show()
        for topic, payload in found.items():
            self._clear(topic, payload)
        self._ask()

    def close(self) -> None:
        """Say that nothing is told any more, and leave the broker."""
        if self._pausing is not None:
            self._pausing.close()
        self._board.end()
        if self._client.is_connected():
            self._show()
            info = self._publish(f"{self._base}/status", "offline", 1, retain=True)
            if info.rc == mqtt.MQTT_ERR_SUCCESS:
                info.wait_for_publish(_END_SECONDS)
        self._client.disconnect()
        self._client.loop_stop()

    def deliveries(self) -> Deliveries:
        """Count what the broker has taken."""
        return Deliveries(self._in_flight.acknowledged, 0, self.refused, self._in_flight.waiting)

    def _publish(self, topic: str, payload: str | bytes, qos: int, *, retain: bool) -> mqtt.MQTTMessageInfo:
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        is_queued = qos > 0 and info.rc == mqtt.MQTT_ERR_NO_CONN
        if info.rc == mqtt.MQTT_ERR_SUCCESS or is_queued:
            self._in_flight.add(info.mid, is_kept=qos > 0)
        return info

    def _show(self) -> None:
        """Give the broker what retained topics say that it was not given yet; away, it gets all at its return."""
        if not self._client.is_connected():
            return
        kept = self._board.kept
        for topic in [topic for topic in self._shown if topic not in kept]:
            if self._publish(topic, b"", 1, retain=True).rc == mqtt.MQTT_ERR_SUCCESS:
                del self._shown[topic]
        for topic, payload in kept.items():
            if self._shown.get(topic) == payload:
                continue
            if self._publish(topic, payload, 1, retain=True).rc != mqtt.MQTT_ERR_SUCCESS:
                return  # the rest at the next look
            self._shown[topic] = payload

    def _ask(self) -> None:
        while self._asked and self._pausing is not None:
            name, is_paused = self._asked.popleft()
            stream = self._board.stream_of(name)
            if stream is None:
                logger.warning("mqtt: %s/%.80s/enabled/set: there is no such stream", self._base, name)
            else:
                self._pausing.ask(stream, is_paused=is_paused)

    def _clear(self, topic: str, before: bytes) -> None:
        """Take away what an earlier configuration left at the broker."""
        now = self._board.kept.get(topic)
        if now is None:
            self._publish(topic, b"", 1, retain=True)
        elif topic.endswith("/config") and (parting := _parting(before, now)) is not None:
            self._publish(topic, parting, 1, retain=True)
            self._publish(topic, now, 1, retain=True)

    def _say(self, note: Note) -> None:
        if note.qos == 0 and not self._client.is_connected():
            return
        info = self._publish(note.topic, note.payload, note.qos, retain=False)
        if info.rc == mqtt.MQTT_ERR_QUEUE_SIZE:
            if not self.refused:
                logger.warning("mqtt: %d events wait for the broker: newer ones are left out", _MOST_WAITING)
            self.refused += 1

    def _make_client(self, config: Config) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"streamtag-{self._service}")
        if settings.user is not None:
            password = settings.password
            if settings.password_file is not None:
                password = read_secret(config, "[mqtt] password_file", settings.password_file)
            client.username_pw_set(settings.user, password)
        if settings.tls:
            try:
                client.tls_set(settings.ca_file)
            except (OSError, ssl.SSLError) as error:
                text = error.strerror or "it is no certificate"
                raise ConfigError(f"{config.path}: [mqtt] ca_file {settings.ca_file}: {text}") from error
        client.will_set(f"{self._base}/status", "offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 60)
        client.max_queued_messages_set(_MOST_WAITING)
        # All that waits is sent when the broker is back, before it answers what is subscribed to: so states come after.
        client.max_inflight_messages_set(0)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._complain(f"the broker at {self._at} refuses: {str(reason).lower()}")
            return
        logger.info("mqtt: connected to %s", self._at)
        self._trouble = ""
        self._is_welcome = True
        topics = [(f"{self._base}/#", 0)]
        if self._settings.discovery:
            topics += [
                (f"{self._settings.discovery}/status", 0),
                (f"{self._settings.discovery}/device/+/config", 0),
            ]
        with self._lock:
            self._found.clear()
        client.subscribe(topics)

    def _on_subscribe(self, *_: Any) -> None:
        with self._lock:
            self._greet = True
            self._clear_at = time.monotonic() + self._ghost_seconds

    def _on_connect_fail(self, *_: Any) -> None:
        self._complain(
            f"the broker at {self._at} cannot be reached ({_in_words(sys.exc_info()[1])}); it is tried again"
        )

    def _on_disconnect(self, client: mqtt.Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._in_flight.lose()
        was_connected, self._is_welcome = self._is_welcome, False
        if was_connected and reason.is_failure:
            self._complain(f"the broker at {self._at} is lost ({str(reason).lower()}); events wait for it")

    def _on_publish(self, client: mqtt.Client, _: Any, number: int, reason: Any, properties: Any) -> None:
        self._in_flight.acknowledge(number)

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == f"{self._settings.discovery}/status":
            if message.payload == b"online" and not message.retain:
                with self._lock:  # all that discovers at once would be too much at once
                    self._greet_at = time.monotonic() + random.uniform(*_BIRTH_SECONDS)  # noqa: S311
        elif message.topic.endswith("/enabled/set"):
            self._on_request(message)
        elif message.retain and message.payload and self._is_ours(message):
            with self._lock:
                self._found[message.topic] = bytes(message.payload)

    def _on_request(self, message: mqtt.MQTTMessage) -> None:
        """Note what somebody asks for; a request that the broker keeps is an old one, and nobody's wish now."""
        name = message.topic.removeprefix(f"{self._base}/").removesuffix("/enabled/set")
        is_paused = _SWITCH_PAYLOADS.get(bytes(message.payload))
        if message.retain or not message.topic.startswith(f"{self._base}/"):
            return
        if is_paused is None:
            logger.warning("mqtt: %s/%.80s/enabled/set takes ON or OFF", self._base, name)
        else:
            self._asked.append((name, is_paused))

    def _is_ours(self, message: mqtt.MQTTMessage) -> bool:
        if message.topic.startswith(f"{self._base}/"):
            return not message.topic.endswith("/set")
        try:
            device = json.loads(message.payload)["device"]
            name = f"streamtag_{self._service}"
            return bool(device.get("via_device") == name or device.get("identifiers") == [name])
        except (ValueError, KeyError, TypeError, AttributeError):
            return False

    def _complain(self, reason: str) -> None:
        if reason != self._trouble:
            logger.warning("mqtt: %s", reason)
        self._trouble = reason


def _in_words(error: BaseException | None) -> str:
    """Say why a connection could not be made; the client tells of it while it handles the error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "no answer in time" if isinstance(error, TimeoutError) else "the connection failed"


def _parting(before: bytes, now: str) -> str | None:
    """Return the announcement that takes a device's entities away which it has no longer; None where there are none."""
    device = json.loads(now)
    try:
        old = {id_: component["platform"] for id_, component in json.loads(before)["components"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    gone = {id_: {"platform": platform} for id_, platform in old.items() if id_ not in device["components"]}
    device["components"] |= gone
    return json.dumps(device, ensure_ascii=False) if gone else None
