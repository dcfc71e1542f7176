"""What the answers hold; the OpenAPI file is made from these."""

from typing import Literal

from pydantic import BaseModel, Field

__all__ = ["Error", "Event", "Events", "Labels", "Service", "Stream", "Streams"]


class Error(BaseModel):
    """Why there is no answer."""

    error: str


class Event(BaseModel):
    """A sound that was heard."""

    id: str = Field(description="The same in every answer, such as porch~1764111600120~3a1f00d2")
    stream: str
    label: str
    state: Literal["on", "off"] = Field(description="`on` while it lasts")
    onset_time: float = Field(description="Unix seconds at which it began")
    offset_time: float | None = Field(description="Unix seconds at which it ended; null while it lasts, or unknown")
    onset: float = Field(description="The same in seconds of the stream")
    offset: float | None = Field(description="The same in seconds of the stream")
    peak: float = Field(description="The highest score, from 0 to 1")
    clip: str | None = Field(description="Where its recording is, null where none is kept (yet)")


class Events(BaseModel):
    """Events, the newest first."""

    events: list[Event]
    more: bool = Field(description="Whether there are older ones: ask again with `until`")
    source: Literal["history", "memory"] = Field(description="`memory`: no history is kept; since the page began")


class Stream(BaseModel):
    """A stream and how it fares."""

    id: str
    state: str = Field(description="starting, live, paused, reconnecting, stalled, ended or failed")
    reason: str
    since: float = Field(description="Unix seconds since when it is in this state")
    source: str = Field(description="Where the sound comes from, without secrets")
    rate: int = Field(description="Samples a second of the source, 0 until known")
    channels: int
    paused: bool
    patches: int = Field(description="Patches since the stream began, of 0.96 s where its model has no other hop")
    dropped_patches: int
    lost_seconds: float


class Service(BaseModel):
    """The service."""

    state: Literal["waiting", "connected", "lost"] = Field(description="`waiting`: not heard yet")
    version: str | None
    model: str | None
    runtime: str | None
    sustainable_streams: int | None = Field(description="How many streams it can keep up with; null until known")


class Streams(BaseModel):
    """All streams that everybody may see."""

    service: Service
    streams: list[Stream]


class Labels(BaseModel):
    """The model's labels, in the order of the scores."""

    model: str
    labels_hash: str
    labels: list[str]
