"""What an alert tells, to whomever it is sent."""

from typing import Literal

import msgspec

from streamtag.alerts.rules import Decision
from streamtag.config_alerts import LEVEL
from streamtag.settings import AlertSettings

__all__ = ["AlertNotice", "notice_of", "words"]


class AlertNotice(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was told.

    Attributes:
        alert: Its name.
        stream: Where.
        what: The label, "level", or the stream's state.
        time: Unix seconds at which it was told.
        onset_time: Unix seconds at which what it tells of began.
        value: The highest score so far, or level in dBFS; None of a state.
        send: Who is told: names of notifications, "mqtt", "nats", "webhook".
        clip: Whether the recording goes with it, where one is kept.
        clip_url: Where the recording will be, None where nobody can reach it.
    """

    kind: Literal["alert"] = "alert"
    alert: str
    stream: str
    what: str
    time: float
    onset_time: float
    value: float | None
    send: tuple[str, ...] = ()
    clip: bool = False
    clip_url: str | None = None

    @property
    def id(self) -> str:
        """The same however often it is told: an episode is told once."""
        return f"{self.alert}-{self.stream}-{round(self.onset_time * 1000)}"


def notice_of(decision: Decision, alert: AlertSettings, clip_url: str | None = None) -> AlertNotice:
    """Return what an alert tells of a decision; `clip_url` is where a recording of it will be."""
    return AlertNotice(
        alert=decision.alert,
        stream=decision.stream,
        what=decision.what,
        time=decision.moment.wall,
        onset_time=decision.onset.wall,
        value=decision.value,
        send=alert.send or (),
        clip=alert.clip,
        clip_url=clip_url if alert.clip else None,
    )


def words(what: str, stream: str, value: float | None) -> str:
    """Return what was heard, and where, as a person says it: "Dog on porch (0.93)"."""
    if what == LEVEL:
        return f"loud on {stream} ({value or 0.0:.1f} dBFS)"
    return f"{stream} is {what}" if value is None else f"{what} on {stream} ({value:.2f})"
