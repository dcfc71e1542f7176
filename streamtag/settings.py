"""What a configuration may say: one frozen struct a section, each field with its range and default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Struct

from streamtag.daytime import Location
from streamtag.limits import CHANNELS, RATES
from streamtag.paths import user_path
from streamtag.setting_types import (
    ENDPOINT,
    ENDPOINT_FORM,
    Endpoint,
    Flag,
    Hosts,
    Labels,
    Level,
    ModelName,
    Name,
    PageAddress,
    Processes,
    RuntimeName,
    SampleFormat,
    Seconds,
    Span,
    StreamId,
    Text,
    TritonServer,
    number,
    whole,
)
from streamtag.sink_settings import (
    AlertSettings,
    MetricsSettings,
    MqttSettings,
    NatsSettings,
    NotifySettings,
    WebhookSettings,
)

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
    "NatsSettings",
    "NotifySettings",
    "PageSettings",
    "ScoreSettings",
    "ServiceSettings",
    "Stream",
    "WebhookSettings",
]


DEFAULT_ON, DEFAULT_OFF = 0.5, 0.3
"""The scores at which an event begins and below which it ends, where neither configuration nor model says any."""


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """`[service]`: the sockets. Without `input` no PCM is taken from other programs.

    `name` is what the service is called beside others, by sinks; the host's name where it is absent. `keys` is the
    folder of the keys that every socket asks for; `open` lets sockets that ask for none be reached from other machines.
    `latitude` and `longitude`, in degrees, say where the sun rises and sets. `page` is the web page's address as others
    reach it, with which sinks begin where a recording is. `processes` is how many processes
    score; with 1 the service does by itself.
    """

    name: Name | None = None
    endpoint: Endpoint = "tcp://127.0.0.1:5556"
    input: Endpoint | None = None
    processes: Processes = "auto"
    max_streams: Annotated[int, whole(1, 1_000_000)] = 10_000
    keys: Text | None = None
    open: Flag = False
    latitude: Annotated[float, number(-90, 90)] | None = None
    longitude: Annotated[float, number(-180, 180)] | None = None
    page: PageAddress | None = None

    @property
    def location(self) -> Location | None:
        """Where the service is, None where nobody said it."""
        if self.latitude is None or self.longitude is None:
            return None
        return Location(self.latitude, self.longitude)


class ModelSettings(Struct, frozen=True, kw_only=True):
    """`[model]`, `[models.NAME]`: the bundle (a packaged or added name, or a path), and how it is run.

    By `triton` where `runtime` says so. Under `[models]` a bundle that is not said has the model's name. `heads`, the
    folder of what was taught, and `max_wait_ms` are read of `[model]` alone.
    """

    bundle: Text = "default"
    heads: Text = "heads"
    runtime: RuntimeName = "auto"
    max_batch: Annotated[int, whole(1, 4096)] = 256
    max_wait_ms: Annotated[float, number(0, 1000)] = 10.0
    triton: TritonServer = "127.0.0.1:8001"


class ScoreSettings(Struct, frozen=True, kw_only=True):
    """`[scores]`: `rolling` is the number of patches in the mean."""

    rolling: Annotated[int, whole(1, 10_000)] = 5


class LabelThresholds(Struct, frozen=True, kw_only=True):
    """When a label's event begins and ends. `[events.labels."…"]` takes from `[events]` what it does not say.

    `on` and `off` are scores, None where they are not said: the model's own hold where neither is, see
    `streamtag.events.thresholds_of`. An event ends when the score was below `off` for `hold_seconds`. Events shorter
    than `min_seconds` are not reported; after an event none begins for `cooldown_seconds`.
    """

    on: Level | None = None
    off: Level | None = None
    min_seconds: Seconds = 0.0
    hold_seconds: Seconds = 1.0
    cooldown_seconds: Seconds = 0.0


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

    `embeddings` keeps what the network makes of each onset, and of one in twenty of all other windows, to be searched.
    Of a recording in whose span a label of `no_clip_when` reaches its `off` none is kept.
    """

    path: Text | None = None
    keep_days: Annotated[float, number(0.001, 36500)] = 1.0
    max_megabytes: Annotated[float, number(1, 10_000_000)] = 500.0
    clips: Flag = False
    clip_seconds: Annotated[float, number(0.5, 60)] = 4.0
    embeddings: Flag = False
    no_clip_when: Labels = ()


class PageSettings(Struct, frozen=True, kw_only=True):
    """`[page]`: with `listen` the web page lets its visitors hear streams, and the service gives their sound away."""

    listen: Flag = False


class Stream(Struct, frozen=True, kw_only=True):
    """`[[stream]]`: one source of sound.

    `rate` and `channels` are of a microphone or of PCM on standard input (`-`), `format` of the latter;
    `timeout_seconds` and `ca_file` of a network stream, and `leads_to`: hosts to which its server may lead wherever
    they are. In the span of the day `pause` it is connected and not scored; `keep` false keeps all that is heard of it
    out of the history. `model` is the name under `[models]` of what scores it, `default` that of `[model]`.
    """

    id: StreamId
    source: Text
    realtime: Flag = False
    loop: Flag = False
    rate: Annotated[int, whole(*RATES)] | None = None
    channels: Annotated[int, whole(*CHANNELS)] | None = None
    format: SampleFormat | None = None
    timeout_seconds: Annotated[float, number(1, 600)] | None = None
    ca_file: Text | None = None
    pause: Span | None = None
    keep: Flag = True
    leads_to: Hosts | None = None
    model: ModelName = "default"

    def __repr__(self) -> str:
        return f"Stream(id={self.id!r})"  # A source may hold a password.


class NamedLabel(NamedTuple):
    """A label that a configuration names, and where: `title` is the key, such as "[mqtt] labels"."""

    label: str
    title: str
    line: int


class Config(Struct, frozen=True, kw_only=True):
    """Everything that a configuration says; `path` is the file, None where a program made the settings itself.

    `sections` holds what sinks of others are told, by section: see `streamtag.sink_kinds`. `groups` has the labels of
    each group; the group's score is the highest of theirs.
    """

    service: ServiceSettings = ServiceSettings()
    model: ModelSettings = ModelSettings()
    models: Mapping[str, ModelSettings] = msgspec.field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    scores: ScoreSettings = ScoreSettings()
    events: EventSettings = msgspec.field(default_factory=EventSettings)
    history: HistorySettings = HistorySettings()
    page: PageSettings = PageSettings()
    mqtt: MqttSettings | None = None
    metrics: MetricsSettings | None = None
    nats: NatsSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    alerts: tuple[AlertSettings, ...] = ()
    sections: Mapping[str, Any] = msgspec.field(default_factory=dict)
    streams: tuple[Stream, ...] = ()
    path: Path | None = None
    label_lines: Mapping[str, int] = msgspec.field(default_factory=dict)
    sink_labels: tuple[NamedLabel, ...] = ()
    group_labels: tuple[NamedLabel, ...] = ()

    @property
    def heads_folder(self) -> Path:
        """The folder of taught labels; beside the configuration, or here where there is none."""
        return (self.path.parent if self.path else Path()) / user_path(self.model.heads)
