"""M01: settings are typed and validated by the database, per store and site."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.rpc import Refused, call


def value_of(db: psycopg.Connection, key: str, **scope: str) -> tuple[object, str]:
    rows = call(db, "viewer", "get_settings", **scope)
    row = next(r for r in rows if r["key"] == key)
    return row["value"], row["source"]


def test_a_store_looks_at_itself_then_its_site_then_the_default(db: psycopg.Connection) -> None:
    key = "monitor.density"
    assert value_of(db, key, p_store="bannos") == ("cozy", "default")
    call(db, "manager", "set_setting", p_key=key, p_value=Jsonb("compact"), p_site="main")
    assert value_of(db, key, p_store="bannos") == ("compact", "site")
    call(db, "manager", "set_setting", p_key=key, p_value=Jsonb("cozy"), p_store="bannos")
    assert value_of(db, key, p_store="bannos") == ("cozy", "store")
    assert value_of(db, key, p_store="flourlane") == ("compact", "site")
    assert call(db, "manager", "reset_setting", p_key=key, p_store="bannos") is True
    assert value_of(db, key, p_store="bannos") == ("compact", "site")
    assert call(db, "manager", "reset_setting", p_key=key, p_store="bannos") is False


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("printing.auto_print", "yes", "true or false"),
        ("printing.auto_print", None, "true or false"),
        ("due_dates.default_days", 1.5, "a whole number from 0 to 365"),
        ("due_dates.default_days", 366, "a whole number from 0 to 365"),
        ("due_dates.allowed_days", ["mon", "mon"], "different weekdays"),
        ("due_dates.allowed_days", ["monday"], "different weekdays"),
        ("due_dates.blackout_dates", ["2026-02-30"], "different dates"),
        ("due_dates.blackout_dates", "2026-12-25", "different dates"),
        ("printing.paper_size", "A0", "one of A4"),
        ("printing.printer_name", 7, "text of at most 120 characters"),
        ("orders.flavours", ["  "], "non-empty texts"),
    ],
)
def test_a_wrong_type_names_the_key_and_what_it_expects(
    db: psycopg.Connection, key: str, value: object, expected: str
) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "admin", "set_setting", p_key=key, p_value=Jsonb(value), p_store="bannos")
    assert (refused.value.status, refused.value.code) == (422, "settings.wrong_type")
    assert refused.value.detail["key"] == key
    assert expected in refused.value.detail["expected"]
    assert key in refused.value.message


def test_an_unknown_key_lists_the_keys_there_are(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "admin", "set_setting", p_key="no.such", p_value=Jsonb(1), p_store="bannos")
    assert (refused.value.status, refused.value.code) == (422, "settings.unknown_key")
    assert "monitor.density" in refused.value.detail["expected"]


def test_a_site_setting_is_not_set_per_store(db: psycopg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        call(db, "admin", "set_setting", p_key="undo.minutes", p_value=Jsonb(5), p_store="bannos")
    assert refused.value.code == "settings.wrong_scope"


@pytest.mark.parametrize("rpc", ["get_settings", "set_setting", "reset_setting"])
def test_a_scope_is_one_store_or_one_site(db: psycopg.Connection, rpc: str) -> None:
    arguments = {"get_settings": {}, "reset_setting": {"p_key": "undo.minutes"}}.get(
        rpc, {"p_key": "undo.minutes", "p_value": Jsonb(5)}
    )
    with pytest.raises(Refused) as refused:
        call(db, "admin", rpc, **arguments)
    assert (refused.value.status, refused.value.code) == (400, "settings.scope")


def test_plain_sql_cannot_store_a_wrong_value_either(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error, match="must be a whole number"):
        db.execute(
            "insert into public.settings (key, site, value) values ('undo.minutes', 'main', '-1')"
        )


def test_an_edit_that_saw_an_old_version_is_refused(db: psycopg.Connection) -> None:
    change = {"p_key": "undo.minutes", "p_site": "main"}
    first = call(db, "admin", "set_setting", p_value=Jsonb(5), p_version=0, **change)
    assert first["version"] == 1
    with pytest.raises(Refused) as refused:
        call(db, "admin", "set_setting", p_value=Jsonb(6), p_version=0, **change)
    assert (refused.value.status, refused.value.code) == (409, "settings.stale")


def test_only_managers_change_settings_and_the_change_is_an_event(db: psycopg.Connection) -> None:
    change = {"p_key": "undo.minutes", "p_value": Jsonb(5), "p_site": "main"}
    with pytest.raises(Refused) as refused:
        call(db, "operator", "set_setting", **change)
    assert refused.value.code == "auth.forbidden"
    call(db, "manager", "set_setting", **change)
    event = db.execute("select event, payload -> 'after' from public.events").fetchone()
    assert event == ("settings.changed", 5)


@pytest.mark.parametrize(
    ("zone", "now", "due", "priority"),
    [
        ("Australia/Sydney", "2026-10-03 13:30+00", "2026-10-04", "High"),  # 23:30, before the jump
        ("Australia/Sydney", "2026-10-03 14:30+00", "2026-10-05", "High"),  # 00:30 on the 4th
        ("Australia/Sydney", "2026-10-03 13:30+00", "2026-10-05", "Medium"),
        ("Australia/Sydney", "2026-10-04 13:30+00", "2026-10-06", "High"),  # 00:30, after the jump
        ("Australia/Sydney", "2026-04-04 13:30+00", "2026-04-08", "Medium"),  # 00:30 on the 5th
        ("UTC", "2026-10-03 23:59+00", "2026-10-06", "Medium"),
        ("UTC", "2026-10-03 23:59+00", "2026-10-07", "Low"),
        ("America/Los_Angeles", "2026-11-01 08:30+00", "2026-11-01", "High"),
        ("UTC", "2026-10-03 12:00+00", "2026-01-01", "High"),  # overdue
        ("UTC", "2026-10-03 12:00+00", None, "Medium"),
    ],
)
def test_defect_utc_priorities_the_plant_calendar_decides(
    db: psycopg.Connection, zone: str, now: str, due: str | None, priority: str
) -> None:
    db.execute("update public.sites set time_zone = %s", (zone,))
    row = db.execute("select private.priority_for(%s, 'bannos', %s)", (due, now)).fetchone()
    assert row == (priority,)
