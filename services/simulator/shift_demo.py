"""Live the workshop's day once against the running demo: `python -m services.simulator.shift_demo`.

It signs in as the people of the demo; `takt up --demo` has made them.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import Any

import httpx

from services.simulator.settings import SimulatorSettings
from services.simulator.shift import Answer, Shift
from services.simulator.shift_plan import day
from takt.errors import from_response


class DemoPeople:
    """Calls RPCs as the demo's people, each signed in once. Errors: RpcError."""

    def __init__(self, settings: SimulatorSettings) -> None:
        demo = json.loads(settings.demo_file.read_text(encoding="utf-8"))
        self._sign_ins = {row["role"]: row for row in demo["sign_ins"]}
        self._http = httpx.Client(base_url=settings.supabase_url.rstrip("/"), timeout=120)
        self._key = settings.supabase_publishable_key or settings.secret_key
        self._tokens: dict[str, str] = {}

    def call(self, role: str, rpc: str, arguments: Answer) -> Any:
        headers = {"apikey": self._key, "authorization": f"Bearer {self._token(role)}"}
        answer = self._http.post(f"/rest/v1/rpc/{rpc}", json=arguments, headers=headers)
        refused = answer.is_error and "ok" not in answer.json()  # a scan answers its refusals
        if refused:
            raise from_response(answer)
        return answer.json()

    def _token(self, role: str) -> str:
        if role not in self._tokens:
            person = {k: self._sign_ins[role][k] for k in ("email", "password")}
            answer = self._http.post(
                "/auth/v1/token",
                params={"grant_type": "password"},
                json=person,
                headers={"apikey": self._key},
            )
            self._tokens[role] = str(answer.raise_for_status().json()["access_token"])
        return self._tokens[role]


def main() -> None:
    """One day; a second run finds its orders made and stops."""
    people = DemoPeople(SimulatorSettings())
    shift = Shift(people.call, day(), date.today())
    shift.run()
    sys.stdout.write(f"{len(shift.log)} commands: the day is done.\n")


if __name__ == "__main__":
    main()
