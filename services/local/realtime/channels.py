"""The rooms: who listens to which topic, fan-out of broadcasts, presence. No I/O."""

from __future__ import annotations

import itertools
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.local.realtime.authorise import Rights
from services.local.realtime.protocol import (
    TOPIC_PREFIX,
    Broadcast,
    Frame,
    Version,
    encode,
    encode_broadcast,
)

Meta = dict[str, Any]


class Outbox(Protocol):
    """Where a member's frames go; `push` never blocks."""

    version: Version

    def push(self, data: str | bytes) -> None:
        """Queue one encoded frame."""


@dataclass(eq=False)
class Member:
    """One joined channel of one socket; `topic` without prefix."""

    outbox: Outbox
    topic: str
    private: bool
    rights: Rights
    join_ref: str | None = None
    receive_own: bool = False
    acknowledge: bool = False
    presence: bool = False
    presence_key: str = field(default_factory=lambda: str(uuid.uuid4()))

    def send(self, event: str, payload: dict[str, Any], ref: str | None = None) -> None:
        """Queue one frame of this channel."""
        frame = Frame(TOPIC_PREFIX + self.topic, event, payload, ref, self.join_ref)
        self.outbox.push(encode(frame, self.outbox.version))


@dataclass(eq=False)
class _Room:
    members: set[Member] = field(default_factory=set)
    metas: dict[Member, Meta] = field(default_factory=dict)


class Hub:
    """All rooms of this process. A private and a public topic of one name are two rooms."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, bool], _Room] = {}
        self._presence_refs = itertools.count(1)

    def join(self, member: Member) -> None:
        """Add the member to its topic's room."""
        room = self._rooms.setdefault((member.topic, member.private), _Room())
        room.members.add(member)

    def leave(self, member: Member) -> None:
        """Remove the member, and its presence with it."""
        room = self._rooms.get((member.topic, member.private))
        if room is None:
            return
        self.untrack(member)
        room.members.discard(member)
        if not room.members:
            del self._rooms[member.topic, member.private]

    def publish(self, message: Broadcast, private: bool, sender: Member | None = None) -> None:
        """Send to everyone in the room; to the sender only when it asked for its own messages."""
        room = self._rooms.get((message.topic, private))
        if room is None:
            return
        encoded: dict[Version, str | bytes | None] = {}
        for member in tuple(room.members):
            version = member.outbox.version
            if member is sender and not member.receive_own:
                continue
            if version not in encoded:
                encoded[version] = encode_broadcast(message, version)
            data = encoded[version]
            if data is not None:
                member.outbox.push(data)

    # -- presence -----------------------------------------------------------------------------

    def send_presence_state(self, member: Member) -> None:
        """Tell the member who is present."""
        room = self._rooms[member.topic, member.private]
        member.send("presence_state", _by_key(room.metas.items()))

    def track(self, member: Member, payload: Meta) -> None:
        """Make the member present, or replace what it says about itself."""
        room = self._rooms[member.topic, member.private]
        before = room.metas.get(member)
        room.metas[member] = {**payload, "phx_ref": str(next(self._presence_refs))}
        self._send_diff(room, member, room.metas[member], before)

    def untrack(self, member: Member) -> None:
        """Make the member absent; nothing happens when it was."""
        room = self._rooms[member.topic, member.private]
        before = room.metas.pop(member, None)
        if before is not None:
            self._send_diff(room, member, None, before)

    @staticmethod
    def _send_diff(room: _Room, member: Member, joined: Meta | None, left: Meta | None) -> None:
        diff = {
            "joins": _by_key([(member, joined)] if joined else []),
            "leaves": _by_key([(member, left)] if left else []),
        }
        for other in tuple(room.members):
            if other.presence and other.rights.presence_read:
                other.send("presence_diff", diff)


def _by_key(metas: Iterable[tuple[Member, Meta]]) -> dict[str, dict[str, list[Meta]]]:
    found: defaultdict[str, dict[str, list[Meta]]] = defaultdict(lambda: {"metas": []})
    for member, meta in metas:
        found[member.presence_key]["metas"].append(meta)
    return found
