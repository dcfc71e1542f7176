"""What a configuration may say to sinks: one frozen struct a section."""

from typing import Annotated

from msgspec import Meta, Struct

from streamtag.setting_types import (
    DAY,
    AlertOn,
    Days,
    Flag,
    Host,
    Labels,
    Listen,
    Name,
    NatsServers,
    PortNumber,
    Seconds,
    Span,
    StreamId,
    Subject,
    Text,
    Topic,
    TopicOrNone,
    Urls,
    WebAddress,
    number,
    whole,
)

__all__ = ["AlertSettings", "MetricsSettings", "MqttSettings", "NatsSettings", "NotifySettings", "WebhookSettings"]


class MqttSettings(Struct, frozen=True, kw_only=True):
    """`[mqtt]`: the broker that is told, and how; `labels` get topics, those of `[events.labels]` where it is absent.

    Topics begin with `base`. An empty `discovery` announces nothing to Home Assistant.
    """

    host: Host
    port: PortNumber = 1883
    user: Text | None = None
    password: Text | None = None
    password_file: Text | None = None
    tls: Flag = False
    ca_file: Text | None = None
    base: Topic = "streamtag"
    discovery: TopicOrNone = "homeassistant"
    labels: Labels | None = None

    def __repr__(self) -> str:
        return f"MqttSettings(host={self.host!r}, port={self.port})"


class MetricsSettings(Struct, frozen=True, kw_only=True):
    """`[metrics]`: where Prometheus reads metrics, and whoever looks after the service its health.

    Beyond `max_streams` streams none has metrics of its own.
    """

    listen: Listen = "127.0.0.1:9464"
    max_streams: Annotated[int, whole(0, 100_000)] = 1000


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """`[[webhook]]`: an address that is told of events, of all labels where `labels` is absent."""

    url: WebAddress
    token: Text | None = None
    token_file: Text | None = None
    labels: Labels | None = None

    def __repr__(self) -> str:
        return "WebhookSettings()"  # an address may be a secret


class NatsSettings(Struct, frozen=True, kw_only=True):
    """`[nats]`: servers of NATS whose JetStream is told of events, of all labels where `labels` is absent.

    Subjects begin with `subject` and the service's name.
    """

    servers: NatsServers
    subject: Subject = "streamtag"
    user: Text | None = None
    password: Text | None = None
    password_file: Text | None = None
    token: Text | None = None
    token_file: Text | None = None
    ca_file: Text | None = None
    labels: Labels | None = None

    def __repr__(self) -> str:
        return f"NatsSettings(servers={self.servers!r})"


class NotifySettings(Struct, frozen=True, kw_only=True):
    """`[[notify]]`: addresses in Apprise's form that alerts are sent to, in the file or in `urls_file`, one a line.

    What comes within `digest_seconds` of a message is told together in the next one.
    """

    name: Name
    urls: Urls | None = None
    urls_file: Text | None = None
    digest_seconds: Seconds = 60.0

    def __repr__(self) -> str:
        return f"NotifySettings(name={self.name!r})"  # such an address holds a password or a token


class AlertSettings(Struct, frozen=True, kw_only=True):
    """`[[alert]]`: when to tell of something, and whom.

    `when` is a label or a group, whose events it goes by, or "level" or "state". Everything else narrows that down; see
    `streamtag.alerts.rules`. `send` names notifications, "mqtt", "nats" and "webhook"; all that there are where it is
    absent.
    """

    name: Annotated[str, Meta(pattern=r"\A[^\x00-\x1f]{1,100}\Z", description="1 to 100 characters on one line")]
    when: Text
    streams: Annotated[tuple[StreamId, ...], Meta(description='a list of streams, such as ["porch"]')] | None = None
    on: AlertOn | None = None
    for_seconds: Seconds = 0.0
    count: Annotated[int, whole(1, 10_000)] = 1
    within_seconds: Annotated[float, number(0.1, DAY)] = 60.0
    unless: Labels = ()
    unless_seconds: Seconds = 10.0
    between: Span | None = None
    days: Days | None = None
    cooldown_seconds: Seconds = 300.0
    send: Annotated[tuple[Name, ...], Meta(description='a list such as ["mqtt", "webhook", "phone"]')] | None = None
    clip: Flag = False
