"""`POST /api/devices/enroll`: a one-time code becomes a device's own sign-in."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.api.answers import problem, refusal
from services.api.limits import TooLarge, read_limited
from services.api.settings import ApiSettings
from takt.auth_admin import AuthAdmin
from takt.errors import RpcError
from takt.limits import TokenBucket
from takt.rpc import RpcClient

log = logging.getLogger(__name__)

_BODY_LIMIT = 4096


class Enrolment:
    """Creates the Auth user, redeems the code, and takes the user back when the code is refused."""

    def __init__(self, rpc: RpcClient, auth: AuthAdmin, settings: ApiSettings) -> None:
        self._rpc = rpc
        self._auth = auth
        self._settings = settings
        self._bucket = TokenBucket(settings.enroll_burst, settings.enroll_per_minute)

    async def enroll(self, request: Request) -> Response:
        """{code} → {supabase_url, publishable_key, email, password, device}; shown this once."""
        if wait := self._bucket.take(request.client.host if request.client else "-"):
            text = "Too many tries from this address. Wait a moment."
            return problem(429, "device.too_many_tries", text, retry_after=wait)
        try:
            code = json.loads(await read_limited(request, _BODY_LIMIT))["code"]
        except TooLarge:
            return problem(413, "request.too_large", "An enrolment request is a few bytes.")
        except (ValueError, KeyError, TypeError):
            code = None
        if not isinstance(code, str) or not code.strip():
            return problem(400, "request.malformed", 'Send {"code": "XXXX-XXXX-XXXX-XXXX"}.')
        try:
            # Not to be cut short by a client that hangs up: a user would stay behind.
            return await asyncio.shield(asyncio.create_task(self._redeem(code)))
        except RpcError as error:
            return refusal(error)

    async def _redeem(self, code: str) -> Response:
        email = f"dev-{secrets.token_hex(8)}@devices.invalid"
        password = secrets.token_urlsafe(32)
        user_id = await self._auth.create_user(email, password)
        try:
            device = await self._rpc.call(
                "redeem_enrolment", tries=1, p_enrolment_code=code, p_user_id=user_id
            )
        except BaseException:
            await self._take_back(user_id)
            raise
        fields = {"action": "device.enrolled", "device": device["code"], "user_id": user_id}
        log.info("device enrolled", extra=fields)
        answer = {
            "supabase_url": self._settings.public_url or self._settings.supabase_url,
            "publishable_key": self._settings.supabase_publishable_key or "",
            "email": email,
            "password": password,
            "device": device["code"],
        }
        return JSONResponse(answer, 201)

    async def _take_back(self, user_id: str) -> None:
        """Delete the user. Was only the answer lost? Then the database keeps the user."""
        try:
            await self._auth.delete_user(user_id)
        except RpcError as error:
            fields = {"action": "device.user_left_behind", "user_id": user_id}
            log.error(str(error), extra=fields)
