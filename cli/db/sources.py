"""The living schema in sql/ and the migrations built from it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_INCLUDE = re.compile(r"^\\ir (?P<file>(?P<domain>M\d\d_[a-z_]+)/[a-z0-9_]+\.sql)\s*$")
_FIRST_VERSION = 20261121010000
_HEADER = """\
-- Built from sql/{domain}/ by `takt db build`: edit there, not here.
set local lock_timeout = '10s';
set local statement_timeout = '5min';
"""


class SourceError(ValueError):
    """load.sql and the files beside it do not fit; the message says where."""


@dataclass(frozen=True)
class Domain:
    """One folder of sql/: one milestone, one migration; `files` in load order."""

    name: str
    files: tuple[Path, ...]

    @property
    def version(self) -> str:
        """Timestamp of the migration: the milestone number gives the minute."""
        return str(_FIRST_VERSION + int(self.name[1:3]) * 100)

    @property
    def migration_name(self) -> str:
        return f"{self.version}_{self.name}.sql"

    def text(self, sql_dir: Path) -> str:
        """The migration: every file of the folder, in order, under its own mark."""
        parts = [_HEADER.format(domain=self.name)]
        for file in self.files:
            shown = file.relative_to(sql_dir).as_posix()
            parts.append(f"\n-- sql/{shown}\n\n{file.read_text(encoding='utf-8').strip()}\n")
        return "".join(parts)


def domains(sql_dir: Path) -> list[Domain]:
    """The domains in load order. Errors: SourceError when a file is missing, listed twice or
    not listed, or when the files of a domain do not stand together."""
    grouped: dict[str, list[Path]] = {}
    last = ""
    for number, line in enumerate((sql_dir / "load.sql").read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("--"):
            continue
        found = _INCLUDE.match(line)
        if found is None:
            raise SourceError(f"sql/load.sql:{number} is not an include line: {line}")
        domain, file = found["domain"], sql_dir / found["file"]
        if not file.is_file():
            raise SourceError(f"sql/load.sql:{number} names a file that does not exist.")
        if file in grouped.get(domain, []) or (domain in grouped and domain != last):
            raise SourceError(f"sql/load.sql:{number}: {domain} is listed twice or torn apart.")
        grouped.setdefault(domain, []).append(file)
        last = domain
    listed = {file for files in grouped.values() for file in files}
    stray = sorted(set(sql_dir.glob("M*/*.sql")) - listed)
    if stray:
        raise SourceError(f"sql/load.sql does not list {stray[0].relative_to(sql_dir)}.")
    if list(grouped) != sorted(grouped):
        raise SourceError("sql/load.sql: domains must stand in the order of their numbers.")
    return [Domain(name, tuple(files)) for name, files in grouped.items()]


def released(root: Path) -> frozenset[str]:
    """Names of the migrations that are part of a tagged release; empty before the first one.

    They are frozen: the living files go on, the change comes as a migration of its own.
    """
    names: set[str] = set()
    for tag in tags(root):
        listed = _git(root, "ls-tree", "-r", "--name-only", tag, "--", "supabase/migrations")
        names.update(Path(line).name for line in listed.splitlines())
    return frozenset(names)


def tags(root: Path) -> list[str]:
    """Release tags (v1.2.3) of the checkout; empty without git."""
    return [t for t in _git(root, "tag", "--list", "v[0-9]*").splitlines() if t]


def stale(sql_dir: Path, migrations_dir: Path, frozen: frozenset[str] = frozenset()) -> list[Path]:
    """Migrations that do not say what the living files say: changed, missing or left over.

    `frozen`: names of released migrations; with any, files beside the domains' are drafts and stay.
    """
    wanted = {d.migration_name: d.text(sql_dir) for d in domains(sql_dir)}
    there = sorted(migrations_dir.glob("*.sql"))
    left_over = [] if frozen else [f for f in there if f.name not in wanted]
    files = {migrations_dir / n: text for n, text in wanted.items() if n not in frozen}
    differing = [
        file
        for file, text in files.items()
        if not file.is_file() or file.read_text(encoding="utf-8") != text
    ]
    return left_over + differing


def build(sql_dir: Path, migrations_dir: Path, frozen: frozenset[str] = frozenset()) -> list[Path]:
    """Re-cut the migrations from the living files; returns those that changed."""
    changed = stale(sql_dir, migrations_dir, frozen)
    texts = {migrations_dir / d.migration_name: d.text(sql_dir) for d in domains(sql_dir)}
    migrations_dir.mkdir(parents=True, exist_ok=True)
    for file in changed:
        if file in texts:
            file.write_text(texts[file], encoding="utf-8")
        else:
            file.unlink()
    return changed


def living_sql(sql_dir: Path) -> list[tuple[Path, str]]:
    """Every file of the living schema in load order, with its text."""
    return [(f, f.read_text(encoding="utf-8")) for d in domains(sql_dir) for f in d.files]


def _git(root: Path, *arguments: str) -> str:
    """Output of git; empty when this is no checkout or there is no git."""
    git = shutil.which("git")
    if git is None:
        return ""
    # The checkout may belong to another user; only names are read.
    command = [git, "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""
