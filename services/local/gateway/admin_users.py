"""`/auth/v1/admin/users`: GoTrue's admin user API, for the secret key only."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.local.gateway.admin_store import EmailTaken, Row, UserStore
from services.local.gateway.keys import Caller
from services.local.gateway.timestamps import rfc3339

_LEAST_PASSWORD = 8
_MOST_PASSWORD = 72  # bytes; bcrypt looks at no more
_PAGE = 50
_MOST_PER_PAGE = 1000
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class BadInput(Exception):
    """The request cannot be carried out; `args` are the error code and a sentence."""


def auth_error(status: int, code: str, message: str) -> JSONResponse:
    """An error in GoTrue's shape."""
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status)


class AdminUsers:
    """List, create, read, change, ban and delete users."""

    def __init__(self, store: UserStore) -> None:
        self.store = store

    async def handle(self, request: Request, path: str, caller: Caller) -> Response:
        """Answer one request below `/auth/v1/admin`."""
        if caller.role != "service_role" or caller.user_jwt is not None:
            return auth_error(403, "not_admin", "User not allowed")
        parts = [part for part in path.split("/") if part]
        if not parts or parts[0] != "users" or len(parts) > 2:
            return auth_error(501, "not_implemented", "The embedded Auth has no such admin call.")
        try:
            one = UUID(parts[1]) if len(parts) == 2 else None
            return await (self._many(request) if one is None else self._one(request, one))
        except BadInput as error:
            refusal = (422, *error.args)
        except EmailTaken:
            taken = "A user with this email address has already been registered"
            refusal = (422, "email_exists", taken)
        except ValueError:
            refusal = (404, "validation_failed", "user_id must be an UUID")
        return auth_error(*refusal)

    async def _many(self, request: Request) -> Response:
        if request.method == "POST":
            values, password = read_input(await _json(request), creating=True)
            row = await self.store.create(values, password)
            return JSONResponse(user_json(row))
        if request.method != "GET":
            return auth_error(405, "method_not_allowed", "Use GET or POST.")
        page = _number(request, "page", 1)
        size = min(_number(request, "per_page", _PAGE), _MOST_PER_PAGE)
        rows, total = await self.store.page(size, (page - 1) * size)
        last = max(1, -(-total // size))
        links = [f'<{request.url.path}?page={last}&per_page={size}>; rel="last"']
        if page < last:
            links.insert(0, f'<{request.url.path}?page={page + 1}&per_page={size}>; rel="next"')
        return JSONResponse(
            {"users": [user_json(row) for row in rows], "aud": "authenticated"},
            headers={"x-total-count": str(total), "link": ", ".join(links)},
        )

    async def _one(self, request: Request, user_id: UUID) -> Response:
        missing = auth_error(404, "user_not_found", "User not found")
        if request.method == "DELETE":
            body = await _json(request) if await request.body() else {}
            soft = body.get("should_soft_delete") is True
            return JSONResponse({}) if await self.store.delete(user_id, soft=soft) else missing
        row = await self.store.get(user_id)
        if row is not None and request.method == "PUT":
            values, password = read_input(await _json(request), creating=False, before=row)
            row = await self.store.update(user_id, values, password)
        elif request.method not in ("GET", "PUT"):
            return auth_error(405, "method_not_allowed", "Use GET, PUT or DELETE.")
        return missing if row is None else JSONResponse(user_json(row))


def read_input(
    body: dict[str, Any], *, creating: bool, before: Row | None = None
) -> tuple[dict[str, Any], str | None]:
    """Column values and the password from a request body. Errors: BadInput."""
    values: dict[str, Any] = {}
    now = datetime.now(UTC)
    email, phone = body.get("email"), body.get("phone")
    if email:
        if not isinstance(email, str) or not _EMAIL.fullmatch(email):
            raise BadInput("validation_failed", "Unable to validate email address: invalid format")
        values["email"] = email.lower()
    if phone:
        values["phone"] = str(phone).lstrip("+")
    if creating and not (email or phone):
        raise BadInput("validation_failed", "Cannot create a user without either an email or phone")
    if body.get("email_confirm") is True:
        values["email_confirmed_at"] = now
    if body.get("phone_confirm") is True:
        values["phone_confirmed_at"] = now
    if creating or body.get("role"):
        values["role"] = body.get("role") or "authenticated"
    if values.get("role", "authenticated") != "authenticated":
        raise BadInput("validation_failed", "The embedded Auth knows the role authenticated only")
    if body.get("ban_duration"):
        duration = parse_ban(str(body["ban_duration"]))
        values["banned_until"] = now + duration if duration else None
    known = {"provider": "email", "providers": ["email"]} if email and creating else {}
    for field, column in (
        ("app_metadata", "raw_app_meta_data"),
        ("user_metadata", "raw_user_meta_data"),
    ):
        given = body.get(field) or {}
        if not isinstance(given, dict):
            raise BadInput("validation_failed", f"{field} must be an object")
        start = (before or {}).get(column) or (known if field == "app_metadata" else {})
        if creating or given:
            # As GoTrue: merged, and a null removes the key.
            merged = {**start, **given}
            values[column] = {k: v for k, v in merged.items() if v is not None}
    return values, _password(body)


def parse_ban(text: str) -> timedelta | None:
    """Go's duration notation (`24h`, `1h30m`); None for `none`. Errors: BadInput."""
    if text == "none":
        return None
    if not _DURATION.fullmatch(text):
        raise BadInput("validation_failed", f"invalid format for ban duration: {text}")
    pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    try:
        return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in pieces))
    except OverflowError as error:
        raise BadInput("validation_failed", "ban duration is too long") from error


def user_json(row: Row) -> dict[str, Any]:
    """A user as GoTrue shows it; moments in RFC 3339."""
    moments = ("email_confirmed_at", "phone_confirmed_at", "confirmed_at", "last_sign_in_at")
    optional = {name: _moment(row[name]) for name in (*moments, "banned_until", "deleted_at")}
    return {
        "id": str(row["id"]),
        "aud": row["aud"],
        "role": row["role"],
        "email": row["email"] or "",
        "phone": row["phone"] or "",
        "app_metadata": row["raw_app_meta_data"],
        "user_metadata": row["raw_user_meta_data"],
        "identities": [_identity_json(item) for item in row["identities"]],
        "created_at": _moment(row["created_at"]),
        "updated_at": _moment(row["updated_at"]),
        "is_anonymous": row["is_anonymous"],
        **{name: value for name, value in optional.items() if value is not None},
    }


def _identity_json(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "identity_id": item["id"],
        "id": item["provider_id"],
        "user_id": item["user_id"],
        "identity_data": item["identity_data"],
        "provider": item["provider"],
        "last_sign_in_at": rfc3339(item["last_sign_in_at"] or item["created_at"]),
        "created_at": item["created_at"],
        "updated_at": item["updated_at"],
        "email": item["email"],
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _password(body: dict[str, Any]) -> str | None:
    password = body.get("password")
    if not password:
        return None
    if not isinstance(password, str) or len(password) < _LEAST_PASSWORD:
        message = f"Password should be at least {_LEAST_PASSWORD} characters."
        raise BadInput("weak_password", message)
    if len(password.encode()) > _MOST_PASSWORD:
        raise BadInput("validation_failed", "Password cannot be longer than 72 bytes")
    return password


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise BadInput("bad_json", "Could not parse request body as JSON") from error
    if not isinstance(body, dict):
        raise BadInput("bad_json", "Could not parse request body as a JSON object")
    return body


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name) or str(default)
    if not text.isdigit() or int(text) < 1:
        raise BadInput("validation_failed", f"Bad Pagination Parameters: {name}")
    return int(text)
