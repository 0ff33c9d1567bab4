"""Which permission each RPC asks for, and how the matrix calls it.

The first permission is the one that the call below needs; a second one is for other arguments.
test_rpc_matrix.py holds this against the RPC's comment and its code.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.support.databases import DEVICE_KINDS, STAFF_ROLES

PERMISSIONS: dict[str, tuple[str, ...]] = {
    # M00
    "bootstrap_admin": ("staff.bootstrap",),
    "claim_work": ("work.run",),
    "complete_and_claim_work": ("work.run",),
    "complete_work": ("work.run",),
    "create_device": ("devices.manage",),
    "device_heartbeat": ("devices.report",),
    "events_cursor": ("events.read",),
    "events_since": ("events.read", "audit.read"),
    "extend_work": ("work.run",),
    "fail_work": ("work.run",),
    "identify_by_badge": ("stations.identify",),
    "identify_by_pin": ("stations.identify",),
    "issue_badge": ("staff.manage",),
    "keep_person": ("stations.identify",),
    "leave_station": ("stations.identify",),
    "list_devices": ("devices.read",),
    "list_staff": ("staff.read",),
    "redeem_enrolment": ("devices.enrol",),
    "register_site": ("plant.manage",),
    "register_store": ("plant.manage",),
    "requeue_work": ("queue.manage",),
    "revoke_device": ("devices.manage",),
    "set_role_permission": ("roles.manage",),
    "set_pin": ("plant.read", "staff.manage"),
    "set_staff_active": ("staff.manage",),
    "tick": ("work.run",),
    "upsert_staff": ("staff.manage",),
    "whoami": ("plant.read",),
    "work_queue_status": ("work.run",),
    # M01
    "get_settings": ("settings.read",),
    "reset_setting": ("settings.manage",),
    "set_setting": ("settings.manage",),
    # M02
    "channel_status": ("channels.read",),
    "delete_extraction_rule": ("channels.manage",),
    "get_inbox_body": ("channels.manage",),
    "import_orders": ("orders.import",),
    "list_inbox": ("channels.read",),
    "pause_webhooks": ("channels.manage",),
    "process_webhook": ("work.run",),
    "receive_webhook": ("webhooks.receive",),
    "replay_webhooks": ("channels.manage",),
    "requeue_dead_webhooks": ("channels.manage",),
    "resume_webhooks": ("channels.manage",),
    "save_shop": ("channels.manage",),
    "set_shop_secret": ("channels.secrets",),
    "try_extraction": ("channels.read",),
    "upsert_extraction_rule": ("channels.manage",),
    # M05
    "acknowledge_order_change": ("orders.acknowledge",),
    "assign_staff": ("orders.assign", "orders.take"),
    "assign_staff_bulk": ("orders.assign",),
    "cancel_order": ("orders.cancel",),
    "complete_covering": ("orders.complete_stage",),
    "complete_decorating": ("orders.complete_stage",),
    "complete_filling": ("orders.complete_stage",),
    "complete_packing": ("orders.complete_stage",),
    "create_manual_order": ("orders.create",),
    "get_order_for_scan": ("orders.read",),
    "get_order_timeline": ("events.read",),
    "get_orders_for_dashboard": ("orders.read",),
    "get_queue": ("orders.read",),
    "get_stage_counts": ("orders.read",),
    "get_unassigned_counts": ("orders.read",),
    "get_unassigned_list": ("orders.read",),
    "handle_print_barcode": ("orders.scan",),
    "mark_reviewed": ("orders.edit",),
    "qc_return_to_decorating": ("orders.qc_return",),
    "register_station": ("stations.manage",),
    "scan": ("orders.scan",),
    "set_due_date": ("orders.edit",),
    "set_priority": ("orders.set_priority",),
    "set_storage": ("orders.complete_stage",),
    "start_covering": ("orders.complete_stage",),
    "start_decorating": ("orders.complete_stage",),
    "start_packing": ("orders.complete_stage",),
    "unassign_staff": ("orders.assign", "orders.take"),
    "undo_last": ("orders.undo_own", "orders.undo_any"),
    "update_order_core": ("orders.edit",),
    "why_not_shipping": ("orders.read",),
}

_NOBODY = UUID(int=0xBAD)

# Values of required arguments, by name first, then by type.
BY_NAME: dict[str, Any] = {
    "p_order_id": "bannos-18617",
    "p_order_ids": ["bannos-18617"],
    "p_site": "main",
    "p_store": "bannos",
    "p_time_zone": "Australia/Sydney",
}
BY_TYPE: dict[str, Any] = {
    "text": "x",
    "text[]": ["x"],
    "uuid": _NOBODY,
    "integer": 1,
    "bigint": 1,
    "bigint[]": [1],
    "boolean": True,
    "jsonb": "{}",
}
# What an RPC needs beyond its required arguments before it asks its guard.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "assign_staff": {"p_staff_id": _NOBODY},
    "get_settings": {"p_store": "bannos"},
    "receive_webhook": {"p_body": "eA=="},
    "reset_setting": {"p_store": "bannos"},
    "set_setting": {"p_store": "bannos"},
}


def role_of(who: str) -> str | None:
    """The role that role_permissions knows a persona by; None for those who have none."""
    if who in STAFF_ROLES or who == "service":
        return who
    return f"device.{who}" if who in DEVICE_KINDS else None
