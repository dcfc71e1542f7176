"""Which node scores which stream: pure rules, by how many streams each node carries."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

__all__ = ["Room", "place", "room_of"]

_UNEVEN: Final = 0.25
"""Nodes whose shares of their room differ by no more are left as they are: each move costs a stream its connection."""


class Room(NamedTuple):
    """How many streams a node carries.

    Attributes:
        node: Its name.
        most: With head-room: so many it is given.
        limit: Without: beyond it streams that it has are moved away.
    """

    node: str
    most: int
    limit: int


def room_of(node: str, sustainable: int | None, headroom: float, assumed: int) -> Room:
    """Return a node's room.

    Args:
        node: Its name.
        sustainable: What its service says that it could score as they come, None until it knows.
        headroom: The share of it that stays free.
        assumed: Taken for the room until it is known.
    """
    if sustainable is None:
        return Room(node, assumed, max(assumed, 1))
    return Room(node, max(1, int(sustainable * (1 - headroom))), max(1, sustainable))


def place(streams: Sequence[str], rooms: Sequence[Room], before: Mapping[str, str]) -> dict[str, str]:
    """Return each stream's node; a stream for which there is no room is left out.

    Streams stay where they are while their node is there and is not beyond its limit, and where nodes are not filled
    too unevenly. What has to go somewhere goes where the smallest share of the room is taken.

    Args:
        streams: All streams, in the order of the configuration.
        rooms: The nodes that are well.
        before: Where streams are now, or were before their node was lost.
    """
    held: dict[str, list[str]] = {room.node: [] for room in rooms}
    homeless: list[str] = []
    for stream in streams:
        held.get(before.get(stream, ""), homeless).append(stream)
    for room in rooms:
        mine = held[room.node]
        if len(mine) > room.limit:
            homeless += mine[room.most :]
            del mine[room.most :]
    for stream in homeless:
        node = _emptiest(rooms, held) or _where_it_is(before.get(stream, ""), held)
        if node is not None:
            held[node].append(stream)
    _even_out(rooms, held)
    return {stream: node for node, mine in held.items() for stream in mine}


def _where_it_is(node: str, held: Mapping[str, list[str]]) -> str | None:
    """Let a stream stay on a node that is too slow where no other has room: it loses patches, and not all of them."""
    return node if node in held else None


def _emptiest(rooms: Sequence[Room], held: Mapping[str, list[str]]) -> str | None:
    free = [room for room in rooms if len(held[room.node]) < room.most]
    return min(free, key=lambda room: (len(held[room.node]) + 1) / room.most).node if free else None


def _even_out(rooms: Sequence[Room], held: dict[str, list[str]]) -> None:
    """Move streams from the fullest node to the emptiest, as to one that has returned."""
    while len(rooms) > 1:
        fullest = max(rooms, key=lambda room: len(held[room.node]) / room.most)
        emptiest = min(rooms, key=lambda room: (len(held[room.node]) + 1) / room.most)
        after = (len(held[emptiest.node]) + 1) / emptiest.most
        if after > 1 or len(held[fullest.node]) / fullest.most - after <= _UNEVEN:
            return
        held[emptiest.node].append(held[fullest.node].pop())
