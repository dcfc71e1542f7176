"""What a configuration may say: one frozen struct a section, each field with its range and default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from streamtag.daytime import Place
from streamtag.limits import CHANNELS, RATES, SAMPLE_FORMATS, STREAM_ID, STREAM_ID_FORM, one_of
from streamtag.runtime_kinds import RUNTIME_NAMES

__all__ = [
    "DEFAULT_OFF",
    "DEFAULT_ON",
    "ENDPOINT",
    "ENDPOINT_FORM",
    "AlertSettings",
    "Config",
    "EventSettings",
    "HistorySettings",
    "LabelThresholds",
    "MetricsSettings",
    "ModelSettings",
    "MqttSettings",
    "NamedLabel",
    "NotifySettings",
    "ScoreSettings",
    "ServiceSettings",
    "Stream",
    "WebhookSettings",
]


def _whole(low: int, high: int) -> Meta:
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


def _number(low: float, high: float) -> Meta:
    return Meta(ge=low, le=high, description=f"a number from {low} to {high}")


DEFAULT_ON, DEFAULT_OFF = 0.5, 0.3
"""The scores at which an event begins and below which it ends, where neither configuration nor model says any."""

_DAY = 86400
_Flag = Annotated[bool, Meta(description="true or false")]
_Text = Annotated[str, Meta(pattern=r"\A[^\x00]+\Z", description="a text that is not empty")]
_Level = Annotated[float, _number(0, 1)]
_Seconds = Annotated[float, _number(0, _DAY)]
_PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]"
ENDPOINT = rf"\A(tcp://[^\s/]+:(\*|{_PORT})|ipc://[^\s\x00]+)\Z"
"""What a ZeroMQ endpoint of this project looks like, as a pattern."""
ENDPOINT_FORM = (
    'an address such as "tcp://127.0.0.1:5556" (port 1 to 65535, or * for a free one) or "ipc:///run/scores"'
)
_Endpoint = Annotated[str, Meta(pattern=ENDPOINT, description=ENDPOINT_FORM)]
_StreamId = Annotated[str, Meta(pattern=STREAM_ID, description=STREAM_ID_FORM)]
_RuntimeName = Annotated[str, Meta(pattern=rf"\A(?:{'|'.join(RUNTIME_NAMES)})\Z", description=one_of(RUNTIME_NAMES))]
_SampleFormat = Annotated[str, Meta(pattern=rf"\A(?:{'|'.join(SAMPLE_FORMATS)})\Z", description=one_of(SAMPLE_FORMATS))]


_PortNumber = Annotated[int, _whole(1, 65_535)]
_Labels = Annotated[tuple[_Text, ...], Meta(description='a list of labels, such as ["Dog", "Doorbell"]')]
_Name = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z", description="1 to 64 letters, digits, hyphens or underscores")
]
_Host = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9_.:%-]{1,253}\Z", description='a host\'s name or address, such as "127.0.0.1"'),
]
_Hosts = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:%\[\]-]{1,259}\Z")], ...],
    Meta(description='a list of hosts, each perhaps with a port, such as ["127.0.0.1:8080"]'),
]
_TOPIC = r"[^\x00-\x1f+#/$][^\x00-\x1f+#]{0,200}"
_Topic = Annotated[
    str,
    Meta(
        pattern=rf"\A{_TOPIC}(?<!/)\Z",
        description='the beginning of a topic, such as "streamtag", without +, # and a slash at its ends',
    ),
]
_TopicOrNone = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:{_TOPIC}(?<!/))?\Z",
        description='the beginning of a topic, such as "homeassistant", or "" for none',
    ),
]
_WebAddress = Annotated[
    str,
    Meta(
        pattern=r"\Ahttps?://[^\s/?#\x00]+[^\s\x00]*\Z",
        description='an address such as "https://example.org/hook", of http or https',
    ),
]


_PageAddress = Annotated[
    str,
    Meta(
        pattern=r"\Ahttps?://[^\s/?#@\x00]+(?:/[^\s?#@\x00]*)?\Z",
        description='an address such as "http://cellar:7860", without user and password',
    ),
]
_Listen = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?:{_PORT})\Z",
        description='an address and a port, such as "127.0.0.1:9464"',
    ),
]
_DayTime = Annotated[str, Meta(pattern=r"\A(?:(?:[01]\d|2[0-3]):[0-5]\d|sunrise|sunset)\Z")]
_Span = Annotated[
    tuple[_DayTime, _DayTime],
    Meta(description='two times of the day, such as ["22:00", "06:30"] or ["sunset", "sunrise"]'),
]


_Urls = Annotated[
    tuple[_Text, ...], Meta(min_length=1, description='a list of addresses, such as ["ntfy://ntfy.sh/porch"]')
]
_AlertOn = Annotated[
    float | tuple[_Text, ...],
    Meta(description='a score from 0 to 1, a level in dBFS, or a list of states such as ["reconnecting", "failed"]'),
]
_Days = Annotated[
    tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
    Meta(min_length=1, description='a list of days: "mon", "tue", "wed", "thu", "fri", "sat", "sun"'),
]


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """`[service]`: the sockets. Without `input` no PCM is taken from other programs.

    `name` is what the service is called beside others, by sinks; the host's name where it is absent. `keys` is the
    folder of the keys that every socket asks for; `open` lets sockets that ask for none be reached from other machines.
    `latitude` and `longitude`, in degrees, say where the sun rises and sets. `page` is the web page's address as others
    reach it, with which sinks begin where a recording is.
    """

    name: _Name | None = None
    endpoint: _Endpoint = "tcp://127.0.0.1:5556"
    input: _Endpoint | None = None
    max_streams: Annotated[int, _whole(1, 1_000_000)] = 10_000
    keys: _Text | None = None
    open: _Flag = False
    latitude: Annotated[float, _number(-90, 90)] | None = None
    longitude: Annotated[float, _number(-180, 180)] | None = None
    page: _PageAddress | None = None

    @property
    def place(self) -> Place | None:
        """Where the service is, None where nobody said it."""
        if self.latitude is None or self.longitude is None:
            return None
        return Place(self.latitude, self.longitude)


class ModelSettings(Struct, frozen=True, kw_only=True):
    """`[model]`: the bundle (a packaged name, or a path), and how it is run."""

    bundle: _Text = "default"
    runtime: _RuntimeName = "auto"
    max_batch: Annotated[int, _whole(1, 4096)] = 256
    max_wait_ms: Annotated[float, _number(0, 1000)] = 10.0


class ScoreSettings(Struct, frozen=True, kw_only=True):
    """`[scores]`: `rolling` is the number of patches in the mean."""

    rolling: Annotated[int, _whole(1, 10_000)] = 5


class LabelThresholds(Struct, frozen=True, kw_only=True):
    """When a label's event begins and ends. `[events.labels."…"]` takes from `[events]` what it does not say.

    `on` and `off` are scores, None where they are not said: the model's own hold where neither is, see
    `streamtag.events.thresholds_of`. An event ends when the score was below `off` for `hold_seconds`. Events shorter
    than `min_seconds` are not reported; after an event none begins for `cooldown_seconds`.
    """

    on: _Level | None = None
    off: _Level | None = None
    min_seconds: _Seconds = 0.0
    hold_seconds: _Seconds = 1.0
    cooldown_seconds: _Seconds = 0.0


class EventSettings(LabelThresholds, frozen=True, kw_only=True):
    """`[events]`: the thresholds of every label that has none of its own in `labels`.

    Example:
        >>> dogs = streamtag.LabelThresholds(on=0.4, off=0.2, hold_seconds=3.0)
        >>> settings = streamtag.EventSettings(on=0.6, labels={"Dog": dogs})
        >>> result = streamtag.Tagger(events=settings).tag("clip.flac")
        >>> all(event.peak >= 0.6 for event in result.events if event.label != "Dog")
        True
    """

    labels: Mapping[str, LabelThresholds] = msgspec.field(default_factory=dict)


class HistorySettings(Struct, frozen=True, kw_only=True):
    """`[history]`: without a `path` none is kept. `clips` keeps a short recording around each onset.

    Of one in whose span a label of `no_clip_when` reaches its `off` none is kept.
    """

    path: _Text | None = None
    keep_days: Annotated[float, _number(0.001, 36500)] = 1.0
    max_megabytes: Annotated[float, _number(1, 10_000_000)] = 500.0
    clips: _Flag = False
    clip_seconds: Annotated[float, _number(0.5, 60)] = 4.0
    no_clip_when: _Labels = ()


class Stream(Struct, frozen=True, kw_only=True):
    """`[[stream]]`: one source of sound.

    `rate` and `channels` are of a microphone or of PCM on standard input (`-`), `format` of the latter;
    `timeout_seconds` and `ca_file` of a network stream, and `leads_to`: hosts to which its server may lead wherever
    they are. In the span of the day `pause` it is connected and not scored; `keep` false keeps all that is heard of it
    out of the history.
    """

    id: _StreamId
    source: _Text
    realtime: _Flag = False
    loop: _Flag = False
    rate: Annotated[int, _whole(*RATES)] | None = None
    channels: Annotated[int, _whole(*CHANNELS)] | None = None
    format: _SampleFormat | None = None
    timeout_seconds: Annotated[float, _number(1, 600)] | None = None
    ca_file: _Text | None = None
    pause: _Span | None = None
    keep: _Flag = True
    leads_to: _Hosts | None = None

    def __repr__(self) -> str:
        return f"Stream(id={self.id!r})"  # A source may hold a password.


class MqttSettings(Struct, frozen=True, kw_only=True):
    """`[mqtt]`: the broker that is told, and how; `labels` get topics, those of `[events.labels]` where it is absent.

    Topics begin with `base`. An empty `discovery` announces nothing to Home Assistant.
    """

    host: _Host
    port: _PortNumber = 1883
    user: _Text | None = None
    password: _Text | None = None
    password_file: _Text | None = None
    tls: _Flag = False
    ca_file: _Text | None = None
    base: _Topic = "streamtag"
    discovery: _TopicOrNone = "homeassistant"
    labels: _Labels | None = None

    def __repr__(self) -> str:
        return f"MqttSettings(host={self.host!r}, port={self.port})"


class MetricsSettings(Struct, frozen=True, kw_only=True):
    """`[metrics]`: where Prometheus reads metrics, and whoever looks after the service its health.

    Beyond `max_streams` streams none has metrics of its own.
    """

    listen: _Listen = "127.0.0.1:9464"
    max_streams: Annotated[int, _whole(0, 100_000)] = 1000


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """`[[webhook]]`: an address that is told of events, of all labels where `labels` is absent."""

    url: _WebAddress
    token: _Text | None = None
    token_file: _Text | None = None
    labels: _Labels | None = None

    def __repr__(self) -> str:
        return "WebhookSettings()"  # an address may be a secret


class NotifySettings(Struct, frozen=True, kw_only=True):
    """`[[notify]]`: addresses in Apprise's form that alerts are sent to, in the file or in `urls_file`, one a line.

    What comes within `digest_seconds` of a message is told together in the next one.
    """

    name: _Name
    urls: _Urls | None = None
    urls_file: _Text | None = None
    digest_seconds: _Seconds = 60.0

    def __repr__(self) -> str:
        return f"NotifySettings(name={self.name!r})"  # such an address holds a password or a token


class AlertSettings(Struct, frozen=True, kw_only=True):
    """`[[alert]]`: when to tell of something, and whom.

    `when` is a label or a group, whose events it goes by, or "level" or "state". Everything else narrows that down; see
    `streamtag.alerts.rules`. `send` names notifications, "mqtt" and "webhook"; all that there are where it is absent.
    """

    name: Annotated[str, Meta(pattern=r"\A[^\x00-\x1f]{1,100}\Z", description="1 to 100 characters on one line")]
    when: _Text
    streams: Annotated[tuple[_StreamId, ...], Meta(description='a list of streams, such as ["porch"]')] | None = None
    on: _AlertOn | None = None
    for_seconds: _Seconds = 0.0
    count: Annotated[int, _whole(1, 10_000)] = 1
    within_seconds: Annotated[float, _number(0.1, _DAY)] = 60.0
    unless: _Labels = ()
    unless_seconds: _Seconds = 10.0
    between: _Span | None = None
    days: _Days | None = None
    cooldown_seconds: _Seconds = 300.0
    send: Annotated[tuple[_Name, ...], Meta(description='a list such as ["mqtt", "webhook", "phone"]')] | None = None
    clip: _Flag = False


class NamedLabel(NamedTuple):
    """A label that a configuration names, and where: `title` is the key, such as "[mqtt] labels"."""

    label: str
    title: str
    line: int


class Config(Struct, frozen=True, kw_only=True):
    """Everything that a configuration says; `path` is the file, None where a program made the settings itself."""

    service: ServiceSettings = ServiceSettings()
    model: ModelSettings = ModelSettings()
    scores: ScoreSettings = ScoreSettings()
    events: EventSettings = msgspec.field(default_factory=EventSettings)
    history: HistorySettings = HistorySettings()
    mqtt: MqttSettings | None = None
    metrics: MetricsSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    alerts: tuple[AlertSettings, ...] = ()
    streams: tuple[Stream, ...] = ()
    path: Path | None = None
    label_lines: Mapping[str, int] = msgspec.field(default_factory=dict)
    sink_labels: tuple[NamedLabel, ...] = ()
