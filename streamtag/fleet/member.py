"""One node as the controller sees it: what it was given, what was heard of it, and whether it is well."""

from typing import Final, Protocol

from streamtag.fleet.joined import Heard
from streamtag.fleet.node import NodeReport
from streamtag.fleet.placement import Room, room_of
from streamtag.fleet.settings import FleetSettings
from streamtag.wire.messages import NodeInfo, ServiceHeader

__all__ = ["SILENT_SECONDS", "Member", "Service"]

SILENT_SECONDS: Final = 7.0
"""A service tells of itself every 5 s; the streams of one that says nothing for so long are placed on others."""
_START_SECONDS: Final = 120.0
_SEND_AGAIN_SECONDS: Final = 3.0


class Service(Protocol):
    """A node's service from afar, see `RemoteService`."""

    report: NodeReport | None
    reason: str

    def assign(self, text: str, idle: str, term: int) -> None:
        """Hand over a configuration."""

    def look(self) -> None:
        """Take in what it says of itself, and ask anew."""


class Member:
    """A node; all times are monotonic seconds.

    Attributes:
        id: Ray's name of it.
        state: As `NodeInfo` has it.
        reason: Why it is not live.
        term: Of its lease; 0 while it has none.
        header: What its service said last.
        endpoint: Where its service publishes; empty until it is known.
    """

    def __init__(self, id_: str, service: Service, now: float) -> None:
        self.id = id_
        self.service = service
        self.state = "starting"
        self.reason = ""
        self.term = 0
        self.header: ServiceHeader | None = None
        self.endpoint = ""
        self._began = now
        self._heard_at: float | None = None
        self._sent: tuple[str, int] | None = None
        self._sent_at = 0.0

    @property
    def is_well(self) -> bool:
        """Whether it may be given streams."""
        return self.state in ("live", "slow")

    def look(self, heard: Heard | None, now: float, *, is_up: bool) -> None:
        """Judge it by what its service says, and by what Ray says of the node.

        Args:
            heard: What was heard of it.
            now: The time.
            is_up: Whether Ray has it.
        """
        self.service.look()
        if heard is not None and heard.service is not None:
            self.header, self._heard_at = heard.service, heard.at
        report = self.service.report
        is_silent = self._heard_at is None or now - self._heard_at > SILENT_SECONDS
        if not is_up:
            self._judge("lost", "Ray has lost the node")
        elif report is not None and report.reason and is_silent:
            self._judge("failed", report.reason)
        elif self._heard_at is None:
            is_late = now - self._began > _START_SECONDS
            reason = self.service.reason or "its service does not begin: the node may lack what it needs"
            self._judge("failed" if is_late else "starting", reason if is_late else self.service.reason)
        elif is_silent:
            self._judge("lost", f"it said nothing for {SILENT_SECONDS:g} s")
        elif self.is_well or report is not None:
            # One that was lost comes back when it can be told what to do, and not only heard.
            self._judge("live", "")

    def must_begin_term(self) -> bool:
        """Tell whether it needs a new term: its last one is over, or it has none."""
        report = self.service.report
        return not self.term or (report is not None and report.is_idle and report.term == self.term)

    def begin_term(self, term: int) -> None:
        """Give it a term."""
        self.term, self._sent = term, None

    def end_term(self) -> int:
        """Take its term away, and return it."""
        term, self.term = self.term, 0
        self.service.report = None  # what it said before does not count any more
        return term

    def give(self, text: str, idle: str, now: float) -> None:
        """Hand over its configuration, unless it has that: again where its actor began anew and knows nothing."""
        report = self.service.report
        is_forgotten = report is not None and report.term != self.term and now - self._sent_at > _SEND_AGAIN_SECONDS
        if self._sent != (text, self.term) or is_forgotten:
            self._sent, self._sent_at = (text, self.term), now
            self.service.assign(text, idle, self.term)

    def room(self, settings: FleetSettings) -> Room:
        """Return how many streams it carries."""
        sustainable = None if self.header is None else self.header.sustainable_streams
        return room_of(self.id, sustainable, settings.headroom, settings.streams_per_node)

    def info(self, streams: int, settings: FleetSettings) -> NodeInfo:
        """Return what is told of it.

        Args:
            streams: How many it has.
            settings: Of the fleet.
        """
        header, room, report = self.header, self.room(settings), self.service.report
        is_slow = self.state == "live" and streams > room.limit
        return NodeInfo(
            name=self.id[:12],
            endpoint=self.endpoint,
            state="slow" if is_slow else self.state,
            reason=f"it has {streams} streams and carries {room.limit}" if is_slow else self.reason,
            streams=streams,
            room=room.most,
            sustainable_streams=None if header is None else header.sustainable_streams,
            patches=0 if header is None else header.patches,
            dropped_patches=0 if header is None else header.dropped_patches,
            restarts=0 if report is None else report.restarts,
        )

    def _judge(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
