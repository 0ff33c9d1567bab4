"""The life of a unit in plain Python: what each command may do, and what the gate says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

_ROLES = Path(__file__).parents[1] / "rls" / "role_permissions.json"
PERMISSIONS: dict[str, list[str]] = json.loads(_ROLES.read_text())
VARIANTS = {"FX-EU": "FX-DONE", "FX-US": None}  # and their finished items
BEFORE_PACK = {"CREATED", "FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK"}
_MADE = BEFORE_PACK - {"CREATED"}
_ANY = BEFORE_PACK | {"PACKED", "IN_FINISHED_STOCK"}
# What may be done: the permission it needs, and in which statuses.
STEPS: dict[str, tuple[str, set[str]]] = {
    "flash": ("units.flash", BEFORE_PACK),
    "assign": ("units.assign", BEFORE_PACK),
    "install": ("units.assemble", BEFORE_PACK),
    "kit": ("units.pack", BEFORE_PACK),
    "test": ("units.test", _MADE),
    "assemble": ("units.assemble", _MADE),
    "pack": ("units.pack", _MADE),
    "stock": ("units.pack", {"PACKED"}),
    "unpack": ("units.unpack", {"PACKED"}),
    "box": ("units.pack", {"PACKED", "IN_FINISHED_STOCK"}),
    "label": ("printing.request", _ANY | {"ON_HOLD"}),
    "rework": ("units.rework", _ANY - {"REWORK"}),
    "hold": ("units.hold", _ANY),
    "release": ("units.hold", {"ON_HOLD"}),
    "scrap": ("units.scrap", _ANY | {"ON_HOLD"}),
}


def actions(status: str, role: str) -> set[str]:
    """What somebody of a role is offered for a unit in a status."""
    return {
        step
        for step, (permission, statuses) in STEPS.items()
        if status in statuses and role in PERMISSIONS[permission]
    }


class No(Exception):
    """The command is refused with this code."""


@dataclass
class Kit:
    fits: str
    is_active: bool = True
    used_by: int | None = None


@dataclass
class Unit:
    """One unit; `runs` are (build, PASS or FAIL), oldest first."""

    number: int
    status: str = "CREATED"
    before_hold: str | None = None
    variant: str | None = None
    hw: str | None = None
    fw: str | None = None
    build: int = 1
    is_assembled: bool = False
    kit: str | None = None
    runs: list[tuple[int, str]] = field(default_factory=list)

    def must_be(self, *statuses: str) -> None:
        """Errors: No unless the unit is in one of these."""
        if self.status == "ON_HOLD":
            raise No("unit.on_hold")
        if self.status not in statuses:
            raise No("unit.wrong_state")

    def last_result(self) -> str | None:
        runs = [result for build, result in self.runs if build == self.build]
        return runs[-1] if runs else None


class Plant:
    """Units, kits and the finished stock; each command changes it or raises No."""

    def __init__(self, count: int, kits: dict[str, Kit]) -> None:
        self.units = [Unit(n) for n in range(count)]
        self.kits = kits
        self.stock = 0  # pieces that may be promised: none of a unit on hold

    def blockers(self, u: Unit) -> list[str]:
        """Rules: hardware B, firmware 1.x, one test, a kit that fits."""
        kit = self.kits.get(u.kit or "")
        found = {
            "UNIT_NOT_ASSIGNED": u.variant is None,
            "NO_TEST_RUN": u.last_result() is None,
            "TEST_NOT_PASS": u.last_result() == "FAIL",
            "HW_REV_UNKNOWN": u.hw is None,
            "HW_REV_NOT_ALLOWED": u.variant is not None and u.hw not in (None, "B"),
            "FW_VERSION_POLICY_FAIL": u.variant is not None and (u.fw or "")[:2] != "1.",
            "PACK_KIT_NOT_SCANNED": u.kit is None,
            "PACK_KIT_INVALID": u.kit is not None and (kit is None or not kit.is_active),
            "PACK_KIT_WRONG_VARIANT": kit is not None and kit.is_active
            and u.variant not in (None, kit.fits),
            "UNIT_ON_HOLD": u.status == "ON_HOLD",
            "KIT_ALREADY_USED": kit is not None and kit.used_by not in (None, u.number),
        }  # fmt: skip
        return [code for code, is_there in found.items() if is_there]

    def assign(self, u: Unit, variant: str) -> None:
        u.must_be(*BEFORE_PACK)
        u.variant = variant

    def flash(self, u: Unit, ok: bool, fw: str | None, hw: str | None) -> None:
        u.must_be(*BEFORE_PACK)
        u.build += 1
        u.hw = hw or u.hw
        if ok:
            u.fw = fw or u.fw
            u.status = "FLASHED"
        elif u.status == "TEST_PASS":
            u.status = "FLASHED"

    def test(self, u: Unit, result: str, hw: str | None) -> None:
        u.must_be("FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK")
        u.runs.append((u.build, result))
        u.hw = hw or u.hw
        if result == "PASS":
            u.status = "TEST_PASS"
        elif u.status == "TEST_PASS":
            u.status = "FLASHED"

    def assemble(self, u: Unit) -> None:
        u.must_be("FLASHED", "TEST_PASS", "ASSEMBLED", "REWORK")
        u.build += u.is_assembled
        u.is_assembled = True
        u.status = "ASSEMBLED"

    def scan_kit(self, u: Unit, kit: str) -> None:
        u.must_be(*BEFORE_PACK)
        u.kit = kit

    def pack(self, u: Unit) -> list[str]:
        """The blockers that kept it from being packed."""
        if u.status in ("PACKED", "IN_FINISHED_STOCK"):
            return []
        if u.status == "SCRAPPED":
            raise No("unit.wrong_state")
        found = self.blockers(u)
        if not found:
            u.status = "PACKED"
            self.kits[u.kit or ""].used_by = u.number
        return found

    def unpack(self, u: Unit) -> None:
        u.must_be("PACKED")
        self.free(u)
        u.status = "ASSEMBLED" if u.is_assembled else "TEST_PASS"

    def free(self, u: Unit) -> None:
        for kit in self.kits.values():
            kit.used_by = None if kit.used_by == u.number else kit.used_by
        u.kit = None

    def to_stock(self, u: Unit) -> None:
        if u.status == "IN_FINISHED_STOCK":
            return
        u.must_be("PACKED")
        if VARIANTS[u.variant or ""] is None:
            raise No("variant.no_item")
        u.status = "IN_FINISHED_STOCK"
        self.stock += 1

    def rework(self, u: Unit) -> None:
        if u.status == "REWORK":
            return
        u.must_be(*BEFORE_PACK, "PACKED", "IN_FINISHED_STOCK")
        self.stock -= u.status == "IN_FINISHED_STOCK"
        self.free(u)
        u.build += 1
        u.is_assembled = False
        u.status = "REWORK"

    def scrap(self, u: Unit) -> None:
        self.stock -= u.status == "IN_FINISHED_STOCK"
        u.status, u.before_hold = "SCRAPPED", None

    def hold(self, u: Unit) -> None:
        if u.status == "SCRAPPED":
            raise No("unit.wrong_state")
        if u.status != "ON_HOLD":
            self.stock -= u.status == "IN_FINISHED_STOCK"
            u.before_hold, u.status = u.status, "ON_HOLD"

    def release(self, u: Unit) -> None:
        if u.status == "ON_HOLD":
            u.status, u.before_hold = u.before_hold or "", None
            self.stock += u.status == "IN_FINISHED_STOCK"
