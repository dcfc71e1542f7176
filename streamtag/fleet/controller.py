"""Who decides: which nodes are well, which streams each has, and what is told of it all."""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from streamtag.fleet.cluster import RayNode
from streamtag.fleet.joined import Heard, JoinedWire
from streamtag.fleet.member import Member, Service
from streamtag.fleet.placement import place
from streamtag.fleet.settings import Fleet, node_text
from streamtag.machine import version_of
from streamtag.redaction import redact
from streamtag.wire.messages import Header, ServiceHeader, StatusHeader

__all__ = ["Controller", "Nodes", "Wire", "new_session"]

_SETTLE_SECONDS: Final = 30.0
"""How long the first placement waits for nodes whose services still begin."""
_LEAVE_SECONDS: Final = 8.0
"""A service that goes on with a stream for so long after it was taken away is no longer trusted."""
_REPEAT_SECONDS: Final = 4.5
_FORGET_SECONDS: Final = 60.0

logger = logging.getLogger(__name__)


class Nodes(Protocol):
    """The nodes that there are, see `Cluster`."""

    def nodes(self) -> list[RayNode]:
        """Return those that are up."""

    def service(self, node: RayNode) -> Service:
        """Return a node's service."""

    def revoke(self, terms: dict[str, int]) -> None:
        """Let terms of leases be over."""


class Wire(Protocol):
    """What is heard of the nodes and told to everybody, see `JoinedWire`."""

    def hear(self, node: str, endpoint: str) -> None:
        """Begin to hear a node."""

    def leave(self, node: str) -> None:
        """Hear a node no longer."""

    def go_by(self, owners: Mapping[str, str]) -> None:
        """Take over whose each stream is."""

    def forget(self, stream: str) -> None:
        """Drop what is kept of a stream."""

    def publish(self, header: Header) -> None:
        """Publish a message of our own."""

    def heard(self) -> dict[str, Heard]:
        """Return what was heard of each node."""


class Controller:
    """Looks after a fleet in steps, each of which waits for nobody.

    Attributes:
        owners: Which node has each stream; those that no node has are not there.
    """

    def __init__(self, fleet: Fleet, nodes: Nodes, wire: Wire, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to look after a fleet.

        Args:
            fleet: What the file says.
            nodes: Where services run.
            wire: The endpoint in front.
            clock: Monotonic seconds.
        """
        self.owners: dict[str, str] = {}
        self._fleet = fleet
        self._nodes = nodes
        self._wire = wire
        self._clock = clock
        self._members: dict[str, Member] = {}
        self._revoked: dict[str, int] = {}
        self._leaving: dict[str, float] = {}  # streams taken from a node that may still score them, since when
        self._gone_at: dict[str, float] = {}
        self._term = int(time.time() * 1000)  # above those of whoever looked after the fleet before
        self._began = clock()
        self._is_settled = False
        self._publish_at = 0.0
        self._published: object = None
        self._version = version_of("streamtag")

    def reload(self, fleet: Fleet) -> None:
        """Take over another list of streams; those that did not change are not touched."""
        before, self._fleet = self._fleet, fleet
        for stream in before.streams.keys() - fleet.streams.keys():
            self.owners.pop(stream, None)
            self._leaving.pop(stream, None)
            self._wire.forget(stream)

    def step(self) -> None:
        """Look at all nodes, place what must be placed, and tell of it."""
        now = self._clock()
        self._look(now)
        if self._may_place(now):
            self._place(now)
        self._hand_over(now)
        self._wire.go_by(self.owners)
        self._nodes.revoke(dict(self._revoked))  # again and again: a store that was lost knows nothing
        self._publish_service(now)

    def _look(self, now: float) -> None:
        up = {node.id: node for node in self._nodes.nodes()}
        heard = self._wire.heard()
        for id_, node in up.items():
            if id_ not in self._members:
                logger.info("node %s at %s joins", id_[:12], node.host)
                self._members[id_] = Member(id_, self._nodes.service(node), now)
        for member in list(self._members.values()):
            before = member.state
            member.look(heard.get(member.id), now, is_up=member.id in up)
            report = member.service.report
            if report is not None and report.endpoint != member.endpoint:
                member.endpoint = report.endpoint
                self._wire.hear(member.id, report.endpoint)
            if member.state != before:
                log = logger.info if member.is_well else logger.warning
                log("node %s is %s%s", member.id[:12], member.state, f": {member.reason}" if member.reason else "")
            if member.state in ("lost", "failed"):
                self._lose(member, now, is_up=member.id in up)
            elif member.is_well:
                self._gone_at.pop(member.id, None)
                self._adopt(member)

    def _adopt(self, member: Member) -> None:
        """Take note of streams that a node has from before this process began."""
        if not member.term and not self._is_settled and member.header is not None:
            for stream in member.header.streams:
                if stream in self._fleet.streams:
                    self.owners.setdefault(stream, member.id)

    def _lose(self, member: Member, now: float, *, is_up: bool) -> None:
        """Take a node's streams away: first its term, so that it stops wherever it is."""
        if member.term:
            self._revoked[member.id] = member.end_term()
            self._nodes.revoke(dict(self._revoked))
        self._gone_at.setdefault(member.id, now)
        for stream, node in list(self.owners.items()):
            if node == member.id:
                del self.owners[stream]
                self._leaving.pop(stream, None)
                self._publish_homeless([stream], f"node {member.id[:12]} is {member.state}; it is placed anew")
        if not is_up and now - self._gone_at[member.id] > _FORGET_SECONDS:
            self._wire.leave(member.id)
            del self._members[member.id], self._gone_at[member.id]

    def _may_place(self, now: float) -> bool:
        if not self._is_settled:
            waiting = any(member.state == "starting" for member in self._members.values())
            well = any(member.is_well for member in self._members.values())
            self._is_settled = well and (not waiting or now - self._began > _SETTLE_SECONDS)
        return self._is_settled

    def _place(self, now: float) -> None:
        well = {member.id: member for member in self._members.values() if member.is_well}
        rooms = [member.room(self._fleet.settings) for member in well.values()]
        wanted = place(list(self._fleet.streams), rooms, self.owners)
        for stream, node in self.owners.items():
            if wanted.get(stream, node) != node:
                self._leaving.setdefault(stream, now)
            else:
                self._leaving.pop(stream, None)
        for stream, since in list(self._leaving.items()):
            member = well.get(self.owners.get(stream, ""))
            has_it = member is not None and member.header is not None and stream in member.header.streams
            if has_it and now - since > _LEAVE_SECONDS:
                assert member is not None
                logger.warning("node %s keeps stream %s though it was taken away", member.id[:12], stream)
                self._revoked[member.id] = member.end_term()
                self._nodes.revoke(dict(self._revoked))
                has_it = False
            if not has_it:
                del self._leaving[stream]
                self.owners.pop(stream, None)
        for stream, node in wanted.items():
            if stream not in self.owners:
                self.owners[stream] = node

    def _hand_over(self, now: float) -> None:
        for member in self._members.values():
            report = member.service.report
            if report is None or member.state in ("lost", "failed"):
                continue
            if member.must_begin_term():
                if report.term and not self._is_settled and not member.is_well:
                    continue  # it may have streams of its own, which are asked for first
                self._term += 1
                member.begin_term(self._term)
            given = [
                stream
                for id_, stream in self._fleet.streams.items()
                if self.owners.get(id_) == member.id and id_ not in self._leaving
            ]
            member.give(
                node_text(self._fleet, given, report.endpoint), node_text(self._fleet, (), report.endpoint), now
            )

    def _publish_service(self, now: float) -> None:
        header = self._header(now)
        shown = [(node.name, node.state, node.reason) for node in header.nodes], header.streams, header.homeless
        if shown == self._published and now < self._publish_at:
            return
        self._published, self._publish_at = shown, now + _REPEAT_SECONDS
        self._wire.publish(header)
        if self._is_settled:
            self._publish_homeless(header.homeless, "no node has room for it")

    def _publish_homeless(self, streams: Iterable[str], reason: str) -> None:
        for id_ in streams:
            stream = self._fleet.streams.get(id_)
            if stream is not None:
                self._wire.publish(
                    StatusHeader(
                        stream=id_,
                        state="reconnecting",
                        reason=reason,
                        since=time.time(),
                        source=redact(stream.source),
                        rate=0,
                        channels=0,
                        patches=0,
                        dropped_patches=0,
                        lost_samples=0,
                        queue=0,
                    )
                )

    def _header(self, now: float) -> ServiceHeader:
        counts = Counter(self.owners.values())
        settings = self._fleet.settings
        nodes = [member.info(counts[member.id], settings) for member in self._members.values()]
        headers = [member.header for member in self._members.values() if member.header is not None and member.is_well]
        newest = headers[-1] if headers else None
        known = [each.sustainable_streams for each in headers if each.sustainable_streams is not None]
        return ServiceHeader(
            version=self._version,
            model="" if newest is None else newest.model,
            runtime="" if newest is None else newest.runtime,
            labels=[] if newest is None else newest.labels,
            labels_hash="" if newest is None else newest.labels_hash,
            models={} if newest is None else newest.models,
            streams=list(self._fleet.streams),
            patches=sum(each.patches for each in headers),
            dropped_patches=sum(each.dropped_patches for each in headers),
            sustainable_streams=sum(known) if known else None,
            uptime=now - self._began,
            dropped_messages=sum(each.dropped_messages for each in headers),
            states=dict(sum((Counter(each.states) for each in headers), Counter())),
            nodes=nodes,
            homeless=[stream for stream in self._fleet.streams if stream not in self.owners],
        )


def new_session() -> str:
    """Return a session's name."""
    return secrets.token_hex(4)


def open_wire(fleet: Fleet, on_failure: Callable[[BaseException], None]) -> JoinedWire:
    """Return the endpoint in front of a fleet; not started."""
    from streamtag.keys import ServerKeys

    keys = fleet.config.service.keys
    return JoinedWire(fleet.config.service.endpoint, new_session(), ServerKeys(keys) if keys else None, on_failure)
