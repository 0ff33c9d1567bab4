"""The plans that an RPC really runs: auto_explain hands them over as notices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import Diagnostic

from tests.support.rpc import acting_as, call

_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "client_min_messages": "notice",
}


class Watcher:
    """Collects the plans of every statement of a connection. It must be a superuser's."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.notices: list[str] = []
        connection.execute("load 'auto_explain'")
        for name, value in _SETTINGS.items():
            connection.execute("select set_config(%s, %s, false)", (name, value))
        connection.add_notice_handler(self._keep)

    def _keep(self, diagnostic: Diagnostic) -> None:
        self.notices.append(diagnostic.message_primary or "")

    def plans(self) -> list[dict[str, Any]]:
        """[{"Query Text": …, "Plan": {…}}] since the last call."""
        found = [json.loads(n[n.index("{") :]) for n in self.notices if n.startswith("duration:")]
        self.notices.clear()
        return found

    def of_rpc(self, who: str, rpc: str, **arguments: Any) -> list[dict[str, Any]]:
        """The plans inside one call."""
        self.notices.clear()
        with self.connection.transaction(force_rollback=True):
            call(self.connection, who, rpc, **arguments)
        return self.plans()

    def of_select(self, who: str, query: str) -> list[dict[str, Any]]:
        """The plans of a query as an API user would send it."""
        self.notices.clear()
        with acting_as(self.connection, who):
            self.connection.execute(sql.SQL(query))
        return self.plans()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan node and everything below it."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def scans(plans: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """Every node that reads a table (or, for a prefix ending in _, its partitions)."""
    return [
        node
        for plan in plans
        for node in nodes(plan["Plan"])
        if node.get("Relation Name", "") == table
        or (table.endswith("_") and node.get("Relation Name", "").startswith(table))
    ]


def indexes(plans: list[dict[str, Any]]) -> set[str]:
    """Names of the indexes that are read."""
    return {
        node["Index Name"] for plan in plans for node in nodes(plan["Plan"]) if "Index Name" in node
    }


def sequential(plans: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """Nodes that read the whole table."""
    return [node for node in scans(plans, table) if node["Node Type"] == "Seq Scan"]
