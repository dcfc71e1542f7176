"""The types of what a configuration may say, each with its range and the words that name it in an error."""

from typing import Annotated, Literal

from msgspec import Meta

from streamtag.limits import SAMPLE_FORMATS, STREAM_ID, STREAM_ID_FORM, one_of
from streamtag.runtime_kinds import RUNTIME_NAMES

__all__ = [
    "DAY",
    "ENDPOINT",
    "ENDPOINT_FORM",
    "PORT",
    "TOPIC",
    "AlertOn",
    "DayTime",
    "Days",
    "Endpoint",
    "Flag",
    "GroupMembers",
    "Host",
    "Hosts",
    "Labels",
    "Level",
    "Listen",
    "ModelName",
    "Name",
    "NatsServers",
    "PageAddress",
    "PortNumber",
    "Processes",
    "RuntimeName",
    "SampleFormat",
    "Seconds",
    "Span",
    "StreamId",
    "Subject",
    "Text",
    "Topic",
    "TopicOrNone",
    "TritonServer",
    "Urls",
    "WebAddress",
    "number",
    "whole",
]


def whole(low: int, high: int) -> Meta:
    """Return the range of a whole number."""
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


def number(low: float, high: float) -> Meta:
    """Return the range of a number."""
    return Meta(ge=low, le=high, description=f"a number from {low} to {high}")


DAY = 86400
Flag = Annotated[bool, Meta(description="true or false")]
Text = Annotated[str, Meta(pattern=r"\A[^\x00]+\Z", description="a text that is not empty")]
Level = Annotated[float, number(0, 1)]
Seconds = Annotated[float, number(0, DAY)]
PORT = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]"
ENDPOINT = rf"\A(tcp://[^\s/]+:(\*|{PORT})|ipc://[^\s\x00]+)\Z"
"""What a ZeroMQ endpoint of this project looks like, as a pattern."""
ENDPOINT_FORM = (
    'an address such as "tcp://127.0.0.1:5556" (port 1 to 65535, or * for a free one) or "ipc:///run/scores"'
)
Endpoint = Annotated[str, Meta(pattern=ENDPOINT, description=ENDPOINT_FORM)]
StreamId = Annotated[str, Meta(pattern=STREAM_ID, description=STREAM_ID_FORM)]
RuntimeName = Annotated[str, Meta(pattern=rf"\A(?:{'|'.join(RUNTIME_NAMES)})\Z", description=one_of(RUNTIME_NAMES))]
SampleFormat = Annotated[str, Meta(pattern=rf"\A(?:{'|'.join(SAMPLE_FORMATS)})\Z", description=one_of(SAMPLE_FORMATS))]


Processes = Annotated[
    Literal["auto"] | Annotated[int, Meta(ge=1, le=1024)],
    Meta(description='"auto", or a whole number from 1 to 1024'),
]
PortNumber = Annotated[int, whole(1, 65_535)]
Labels = Annotated[tuple[Text, ...], Meta(description='a list of labels, such as ["Dog", "Doorbell"]')]
Name = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z", description="1 to 64 letters, digits, hyphens or underscores")
]
ModelName = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9_.-]{1,64}\Z", description="1 to 64 letters, digits, dots, hyphens or underscores")
]
GroupMembers = Annotated[
    tuple[Text, ...], Meta(min_length=1, description='a list of labels, at least one, such as ["Dog", "Howl"]')
]
Host = Annotated[
    str,
    Meta(pattern=r"\A[A-Za-z0-9_.:%-]{1,253}\Z", description='a host\'s name or address, such as "127.0.0.1"'),
]
Hosts = Annotated[
    tuple[Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:%\[\]-]{1,259}\Z")], ...],
    Meta(description='a list of hosts, each perhaps with a port, such as ["127.0.0.1:8080"]'),
]
TOPIC = r"[^\x00-\x1f+#/$][^\x00-\x1f+#]{0,200}"
Topic = Annotated[
    str,
    Meta(
        pattern=rf"\A{TOPIC}(?<!/)\Z",
        description='the beginning of a topic, such as "streamtag", without +, # and a slash at its ends',
    ),
]
TopicOrNone = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:{TOPIC}(?<!/))?\Z",
        description='the beginning of a topic, such as "homeassistant", or "" for none',
    ),
]
NatsServers = Annotated[
    tuple[Annotated[str, Meta(pattern=rf"\A(?:nats|tls)://[A-Za-z0-9_.\[\]:%-]+?(?::(?:{PORT}))?\Z")], ...],
    Meta(min_length=1, description='a list of servers, such as ["nats://127.0.0.1:4222"], nats:// or tls://'),
]
Subject = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,8}\Z",
        description='the beginning of a subject, such as "streamtag" or "site.streamtag"',
    ),
]
WebAddress = Annotated[
    str,
    Meta(
        pattern=r"\Ahttps?://[^\s/?#\x00]+[^\s\x00]*\Z",
        description='an address such as "https://example.org/hook", of http or https',
    ),
]


PageAddress = Annotated[
    str,
    Meta(
        pattern=r"\Ahttps?://[^\s/?#@\x00]+(?:/[^\s?#@\x00]*)?\Z",
        description='an address such as "http://cellar:7860", without user and password',
    ),
]
Listen = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?:{PORT})\Z",
        description='an address and a port, such as "127.0.0.1:9464"',
    ),
]
TritonServer = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?:{PORT})(?:/[A-Za-z0-9_.-]{{1,100}})?\Z",
        description='an address and a port, such as "127.0.0.1:8001", perhaps with a model as in "127.0.0.1:8001/name"',
    ),
]
DayTime = Annotated[str, Meta(pattern=r"\A(?:(?:[01]\d|2[0-3]):[0-5]\d|sunrise|sunset)\Z")]
Span = Annotated[
    tuple[DayTime, DayTime],
    Meta(description='two times of the day, such as ["22:00", "06:30"] or ["sunset", "sunrise"]'),
]


Urls = Annotated[
    tuple[Text, ...], Meta(min_length=1, description='a list of addresses, such as ["ntfy://ntfy.sh/porch"]')
]
AlertOn = Annotated[
    float | tuple[Text, ...],
    Meta(description='a score from 0 to 1, a level in dBFS, or a list of states such as ["reconnecting", "failed"]'),
]
Days = Annotated[
    tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
    Meta(min_length=1, description='a list of days: "mon", "tue", "wed", "thu", "fri", "sat", "sun"'),
]
