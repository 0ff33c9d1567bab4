"""May the account that runs Postgres use this data directory?"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from services.local.postgres import unprivileged_user


@dataclass(frozen=True)
class Problem:
    """Why Postgres would refuse the folder, and what mends it."""

    reason: str
    fix: str


def problem(folder: Path) -> Problem | None:
    """Owner and mode of a data directory; None when Postgres can use it, or nothing is in it.

    Errors: PostgresError when we are root and there is no account to run Postgres as.
    """
    if _is_empty(folder):
        return None
    found, me = folder.stat(), os.geteuid()
    needed = me if me != 0 else unprivileged_user().pw_uid
    name = str(me) if me != 0 else unprivileged_user().pw_name
    if found.st_uid != needed:
        fix = f"chown -R {name} {folder}"
        if me == 0 and found.st_uid == 0:
            return Problem("Owned by root, as which Postgres never runs.", fix)
        reason = f"Owned by the user with id {found.st_uid}, and Postgres runs as {name}."
        return Problem(reason, f"Run takt as the user with id {found.st_uid}, or {fix}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU or mode & 0o027:
        reason = f"Its mode is {mode:04o}: Postgres wants it for its own account alone."
        return Problem(reason, f"chmod 700 {folder}")
    return None


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except PermissionError:
        return False
