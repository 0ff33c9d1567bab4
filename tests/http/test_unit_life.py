"""Random lives of units through the real PostgREST: what each role may, and what it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.postgrest import Rest, rest_of
from tests.sql.units.life import RULES, Row, live
from tests.support.databases import STAFF_ROLES, Clone
from tests.support.units import variant

SEQUENCES = 10


class Http:
    """Every command as an HTTP call with the token of whoever gives it."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest

    def ask(self, who: str, rpc: str, **arguments: Any) -> tuple[str | None, Any]:
        answer = self.rest.rpc(who, rpc, **arguments)
        body = answer.json()
        if answer.is_success:
            return None, body
        assert answer.status_code < 500, body
        if "allowed" in body:  # a closed gate: refused, and remembered
            assert (answer.status_code, body["hint"]) == (409, "unit.pack_blocked")
            return None, body
        return body["hint"], None

    def unit(self, sn: str) -> Row:
        (row,) = self.rest.rows("viewer", "units", sn=f"eq.{sn}")
        return row

    def free_stock(self) -> int:
        (row,) = self.rest.rows("viewer", "inventory_stock", sku="eq.FX-DONE", select="on_hand")
        return int(row["on_hand"])

    def bystanders(self) -> Iterator[str]:
        return iter((*STAFF_ROLES, "fixture", "kiosk", "print_agent"))


@pytest.mark.timeout(600)
def test_any_life_through_postgrest_is_as_the_oracle_says(clone: Clone, tmp_path: Path) -> None:
    with clone.connect() as db:
        variant(db, "FX-EU", RULES)
        variant(db, "FX-US", RULES, sku=None)
    with rest_of(clone, tmp_path) as rest:
        live(Http(rest), SEQUENCES)


def test_who_is_not_of_the_plant_is_refused(clone: Clone, tmp_path: Path) -> None:
    ask: dict[str, Any] = {"p_count": 1}
    with rest_of(clone, tmp_path) as rest:
        for who in ("stranger", "disabled", "revoked_device"):
            answer = rest.rpc(who, "create_generic_units", **ask)
            assert (answer.status_code, answer.json()["hint"]) == (403, "auth.not_staff")
            assert rest.rows(who, "units") == []
        assert rest.rpc("anon", "create_generic_units", **ask).status_code == 401
        assert rest.rpc("operator", "create_generic_units", **ask).status_code == 200
