"""Who may read what: the small table that the whole table matrix is computed from.

Nobody writes a table directly, ever; so only reading is declared. A relation of schema public or
private that is not declared here makes the matrix fail.
"""

from __future__ import annotations

import re

from tests.support.databases import DEVICE_KINDS, STAFF_ROLES

STAFF = frozenset({*STAFF_ROLES, "flourlane_operator"})
DEVICES = frozenset(DEVICE_KINDS)
REFUSED = frozenset({"stranger", "disabled", "revoked_device"})
IDENTITIES = ("anon", "service", *sorted(REFUSED), *sorted(STAFF), *DEVICE_KINDS)

# identity → SQL condition of the rows it sees; an identity that is not named sees none
Readers = dict[str, str]

ALL = "true"
NOBODY: Readers = {}
ACTIVE: Readers = dict.fromkeys(STAFF | DEVICES, ALL)
ON_THE_FLOOR: Readers = dict.fromkeys(STAFF | {"kiosk"}, ALL)

_OWN_STORE = {"flourlane_operator": "store = 'flourlane'"}

EVENTS: Readers = (
    dict.fromkeys(ON_THE_FLOOR, "store is not null")
    | dict.fromkeys(("manager", "admin"), ALL)
    | _OWN_STORE
)

SHOPS: Readers = dict.fromkeys(("supervisor", "planner", "manager", "admin"), ALL)

READERS: dict[str, Readers] = {
    "public.sites": ACTIVE,
    "public.stores": ACTIVE,
    "public.roles": ACTIVE,
    "public.permissions": ACTIVE,
    "public.role_permissions": ACTIVE,
    "public.stage_transitions": ACTIVE,
    "public.stations": ACTIVE,
    "public.staff_shared": ON_THE_FLOOR,
    "public.devices": dict.fromkeys(
        ("technician", "supervisor", "planner", "manager", "admin"), ALL
    ),
    "public.work_queue": dict.fromkeys(("technician", "manager", "admin"), ALL),
    "public.orders": ON_THE_FLOOR | _OWN_STORE,
    "public.orders_bannos": ON_THE_FLOOR | {"flourlane_operator": "false"},
    "public.orders_flourlane": ON_THE_FLOOR,
    "public.events": EVENTS,
    "public.stage_events": EVENTS,
    "public.setting_definitions": ON_THE_FLOOR | {"print_agent": ALL},
    "public.settings": ON_THE_FLOOR
    | {"print_agent": ALL, "flourlane_operator": "store = 'flourlane' or store is null"},
    "private.device_enrolments": NOBODY,
    "private.commands": NOBODY,
    "private.event_epoch": NOBODY,
    "private.staff_secrets": NOBODY,
    "private.person_sessions": NOBODY,
    "private.scheduled_jobs": NOBODY,
    "private.recent_scans": NOBODY,
    "private.order_counters": NOBODY,
    "private.priority_days": NOBODY,
    "private.events_default": NOBODY,
    # M02
    "public.shop_tokens": SHOPS,
    "public.channel_orders": SHOPS,
    "public.sync_runs": SHOPS,
    "public.extraction_rules": SHOPS,
    "private.shop_secrets": NOBODY,
    "private.webhook_formats": NOBODY,
    "private.webhook_topics": NOBODY,
    "private.webhook_inbox": NOBODY,
}

_PARTITION = re.compile(r"^private\.events_20\d{4}$")


def readers(relation: str) -> Readers | None:
    """Who reads the relation; None when it is not declared."""
    return NOBODY if _PARTITION.match(relation) else READERS.get(relation)
