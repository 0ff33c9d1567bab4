"""The order to print, overheard: P1 and A1 never say themselves which plate it was. No I/O."""

from __future__ import annotations

from dataclasses import replace

from bambu_bridge.identity import Identity, Match
from bambu_bridge.merge import Ack, Snapshot
from bambu_bridge.run import Instant

VALID = 300.0


class Dispatch:
    """The last accepted order and when it was heard."""

    def __init__(self) -> None:
        self._ack: Ack | None = None
        self._at = 0.0

    def hear(self, ack: Ack, now: Instant) -> None:
        if ack.ok and ack.command == "project_file":
            self._ack, self._at = ack, now.steady

    def seen_for(self, identity: Identity, now: Instant) -> bool:
        """Was this job ordered by somebody on this network just now?"""
        return self._order(identity, now) is not None

    def with_plate(self, snapshot: Snapshot, now: Instant) -> Snapshot:
        """The snapshot with the ordered plate, where the printer names none."""
        order = self._order(snapshot.identity, now)
        if order is None or order.plate is None or snapshot.identity.plate is not None:
            return snapshot
        return replace(snapshot, identity=replace(snapshot.identity, plate=order.plate))

    def _order(self, identity: Identity, now: Instant) -> Ack | None:
        if self._ack is None or now.steady - self._at > VALID:
            return None
        named = Identity.of({"subtask_name": self._ack.name})
        return None if named.compare(identity) is Match.DIFFERENT else self._ack
