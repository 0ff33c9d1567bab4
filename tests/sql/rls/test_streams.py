"""Streams of events: whoever may listen to one catches up with it as well."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.support.rpc import call


def test_who_may_listen_to_a_stream_also_catches_up_with_it(plant: psycopg.Connection) -> None:
    """Whoever joins a moment too late, or was offline, hears it all the same, without payload."""
    cursor = call(plant, "operator", "events_cursor")
    for stream, site in (("stock", "main"), ("item", "-"), ("staff", "main"), ("stock", "other")):
        plant.execute(
            "select private.emit(%s, %s, 'demo.happened', null, '{\"on_hand\": 7}', null, %s)",
            (stream, site, site),
        )
    streams = ["stock", "item", "staff"]

    def heard(who: str, p_streams: list[str] | None) -> list[tuple[str, str, Any]]:
        told = call(plant, who, "events_since", p_cursor=cursor, p_streams=p_streams)
        return [(e["stream"], e["site"], e["payload"]) for e in told]

    assert heard("flourlane_operator", streams) == [("stock", "main", {}), ("item", "-", {})]
    assert heard("operator", None) == []
    assert heard("admin", streams)[:3] == [
        ("stock", "main", {"on_hand": 7}),
        ("item", "-", {"on_hand": 7}),
        ("staff", "main", {"on_hand": 7}),
    ]


def test_parts_and_files_are_followed_by_whoever_works_there(plant: psycopg.Connection) -> None:
    cursor = call(plant, "operator", "events_cursor")
    call(plant, "planner", "upsert_part", p_sku="LIVE", p_title="Live")
    given = Jsonb([{"sku": "LIVE", "quantity": 2}])
    call(plant, "planner", "map_gcode", p_gcode_filename="live.3mf", p_parts=given)
    told = call(plant, "viewer", "events_since", p_cursor=cursor, p_streams=["part", "gcode"])
    assert [entry["event"] for entry in told] == ["part.saved", "gcode.mapped"]


def test_what_concerns_every_site_is_announced_at_every_site(plant: psycopg.Connection) -> None:
    sites = {row[0] for row in plant.execute("select code from public.sites")}
    with plant.transaction():
        plant.execute("delete from realtime.messages")
        plant.execute("select private.emit('item', 'BOX', 'item.saved', null)")
        topics = {row[0] for row in plant.execute("select topic from realtime.messages")}
    assert topics == {f"site:{site}:item" for site in sites}
