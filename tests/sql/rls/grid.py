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
# A shared station reads nothing of these until somebody has identified there.
ON_THE_FLOOR: Readers = dict.fromkeys(STAFF, ALL)

_OWN_STORE = {"flourlane_operator": "store = 'flourlane'"}
_OWN_OR_NO_STORE = {"flourlane_operator": "store = 'flourlane' or store is null"}

EVENTS: Readers = (
    dict.fromkeys(ON_THE_FLOOR, "store is not null")
    | dict.fromkeys(("manager", "admin"), ALL)
    | _OWN_STORE
)

SHOPS: Readers = dict.fromkeys(("supervisor", "planner", "manager", "admin"), ALL)

STOCK: Readers = dict.fromkeys(STAFF, ALL)
# The operator of the matrix is counting FLOUR: a count is blind.
STOCK_COUNTED = STOCK | {"operator": "sku <> 'FLOUR'"}
STAFF_AT_WORK = STAFF - {"viewer"}

_SEES_ORDER = (
    "order_id in (select id from public.production_orders"
    " where store = 'flourlane' or store is null)"
)
_OWN_ORDER = {"flourlane_operator": _SEES_ORDER}

UNITS: Readers = STOCK | {"fixture": ALL}
# What was made of lots: with the order; a device reads no orders.
_LOTS = {"flourlane_operator": f"order_id is null or {_SEES_ORDER}", "fixture": "order_id is null"}
_LOT_PARTS = {
    who: f"lot_id in (select lot_id from public.production_lots where {sees})"
    f" and activity_id in (select id from public.trace_activities where {sees})"
    for who, sees in _LOTS.items()
}

PRINTING: Readers = ON_THE_FLOOR | {"print_agent": ALL}
# Of printers and jobs a print agent sees its own; people see the labels of their stores.
_OWN_PRINTER = {"print_agent": "printer = 'prn-1'"}
PRINT_JOBS = PRINTING | _OWN_PRINTER | _OWN_OR_NO_STORE
PRINT_LABELS = PRINTING | {
    who: f"job_id in (select id from public.print_jobs where {PRINT_JOBS[who]})"
    for who in ("print_agent", "flourlane_operator")
}

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
    "public.setting_definitions": ON_THE_FLOOR | {"print_agent": ALL, "kiosk": ALL},
    "public.settings": ON_THE_FLOOR
    | {
        "print_agent": ALL,
        "kiosk": ALL,
        "flourlane_operator": "store = 'flourlane' or store is null",
    },
    "private.device_enrolments": NOBODY,
    "private.commands": NOBODY,
    "private.event_epoch": NOBODY,
    "private.staff_secrets": NOBODY,
    "private.person_sessions": NOBODY,
    "private.photo_kinds": NOBODY,
    "private.photos": NOBODY,
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
    # M03
    "public.inventory_items": STOCK,
    "public.locations": STOCK,
    "public.inventory_stock": STOCK_COUNTED,
    "public.inventory_balances": STOCK_COUNTED,
    "public.inventory_txn": STOCK_COUNTED,
    "public.product_requirements": STOCK,
    "public.deduction_rules": STOCK
    | {"flourlane_operator": "store = 'flourlane' or store is null"},
    "public.stock_imports": dict.fromkeys(("planner", "manager", "admin"), ALL),
    "public.stock_counts": dict.fromkeys(STAFF_AT_WORK, ALL),
    "public.stock_count_lines": dict.fromkeys(STAFF_AT_WORK, ALL),
    "private.order_stock": NOBODY,
    "private.stage_consumptions": NOBODY,
    "public.production_orders": STOCK | _OWN_OR_NO_STORE,
    "public.production_order_status": STOCK | _OWN_OR_NO_STORE,
    "public.production_order_lines": STOCK
    | {
        "flourlane_operator": "order_id in (select id from public.production_orders"
        " where store = 'flourlane' or store is null)"
    },
    "public.order_fulfilments": STOCK | _OWN_OR_NO_STORE,
    "public.order_part_allocations": STOCK | _OWN_OR_NO_STORE,
    "public.demand_totals": STOCK,
    # M04
    "public.stock_pushes": STOCK | _OWN_STORE,
    # M09
    "public.printers": PRINTING | {"print_agent": "code = 'prn-1'"},
    "public.print_agents": dict.fromkeys(
        ("technician", "supervisor", "planner", "manager", "admin"), ALL
    ),
    "public.label_templates": PRINTING,
    "public.label_template_versions": PRINTING,
    "public.label_proofs": PRINTING,
    "public.print_routes": PRINTING | _OWN_PRINTER,
    "public.print_jobs": PRINT_JOBS,
    "public.print_job_labels": PRINT_LABELS,
    "public.print_job_events": PRINT_LABELS,
    "private.print_transitions": NOBODY,
    "private.print_refusals": NOBODY,
    # M10
    "public.product_variants": UNITS,
    "public.variant_rules": UNITS,
    "public.units": UNITS,
    "public.boxes": UNITS,
    "public.test_runs": UNITS,
    "public.test_measurements": UNITS,
    "public.packaging_kits": UNITS,
    "public.unit_events": dict.fromkeys(("manager", "admin"), ALL),
    "public.unit_components": UNITS,
    "public.lots": UNITS,
    "public.trace_nodes": UNITS,
    "public.trace_edges": UNITS,
    "private.serial_sequences": NOBODY,
    "private.unit_transitions": NOBODY,
    "private.recall_exports": NOBODY,
    "private.recall_export_nodes": NOBODY,
    "private.recalls": NOBODY,
    "private.recall_claims": NOBODY,
    # M11
    "public.parts": STOCK,
    "public.gcode_part_mappings": STOCK,
    "public.print_machines": STOCK,
    "public.print_machine_states": STOCK,
    "public.print_machine_counters": STOCK,
    "public.print_coverage_gaps": STOCK,
    "public.print_runs": STOCK,
    "public.inventory_print_log": STOCK,
    "public.part_demand": STOCK,
    "private.machine_leases": NOBODY,
    # M12 orders and floor
    "public.process_steps": STOCK,
    "public.work_centres": STOCK,
    "public.routings": STOCK,
    "public.routing_steps": STOCK,
    "public.production_order_progress": STOCK | _OWN_ORDER,
    "public.production_order_steps": STOCK | _OWN_ORDER,
    "public.piece_counts": STOCK | _OWN_ORDER,
    "public.piece_counters": STOCK,
    "public.production_order_refs": STOCK | _OWN_ORDER,
    "private.production_selfcheck": NOBODY,
    # M12 quality
    "public.quality_reasons": STOCK,
    "public.quality_records": STOCK | _OWN_ORDER,
    "public.production_discrepancies": STOCK | _OWN_ORDER,
    "public.approvals": STOCK | {"flourlane_operator": f"order_id is null or {_SEES_ORDER}"},
    "public.replenishments": STOCK | _OWN_ORDER,
    "public.replenishment_links": STOCK
    | {"flourlane_operator": _SEES_ORDER.replace("order_id", "root_id")},
    "public.execution_events": EVENTS,
    # M12 lots
    "public.production_lots": UNITS | _LOTS,
    "public.trace_activities": UNITS | _LOTS,
    "public.trace_inputs": UNITS | _LOT_PARTS,
    "public.trace_outputs": UNITS | _LOT_PARTS,
    "public.item_gtins": STOCK,
    "private.lot_effects": NOBODY,
    # M13
    "public.lines": STOCK,
    "public.machines": STOCK,
    "public.machine_versions": STOCK,
    "public.machine_counters": STOCK,
    "public.machine_symptoms": STOCK,
    "public.maintenance_plans": STOCK,
    "public.maintenance_plan_items": STOCK,
    "public.repairs": STOCK,
    "public.repair_reports": STOCK,
    "public.repair_statuses": STOCK,
    "public.repair_checks": STOCK,
    "public.repair_attachments": STOCK,
    "public.machine_status": STOCK,
    "public.line_status": STOCK,
    "private.machine_tokens": NOBODY,
    "private.machine_troubles": NOBODY,
    "private.problem_reports": NOBODY,
    # M14
    "private.andon_calls": NOBODY,
    "public.shift_patterns": STOCK,
    "public.calendar_exceptions": STOCK,
    "public.shift_instances": STOCK,
    "public.time_classes": STOCK,
    "public.time_class_policies": STOCK,
    "public.planned_stops": STOCK,
    "public.overtime_windows": STOCK,
    "public.machine_state_events": STOCK,
    "public.quarantined_events": STOCK,
    "public.ideal_cycles": STOCK,
    "public.count_events": STOCK,
    "public.count_minute": STOCK,
    "public.stop_reasons": STOCK,
    "public.stops": STOCK,
    "public.stop_repairs": STOCK,
    "public.oee_shifts": STOCK,
    "public.shift_handovers": STOCK,
    "public.downtimes": STOCK,
    "private.shift_days": NOBODY,
}

_PARTITION = re.compile(r"^private\.events_20\d{4}$")


def readers(relation: str) -> Readers | None:
    """Who reads the relation; None when it is not declared."""
    return NOBODY if _PARTITION.match(relation) else READERS.get(relation)
